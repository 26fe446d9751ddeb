# Completion of the ration command for bash.

# The words that `ration ... --help` lists under a heading such as "Commands:".
_ration_listed() {
    local heading=$1
    shift
    "$@" --help 2>/dev/null | awk -v heading="$heading" '
        /^[A-Z][A-Za-z]*:$/ { inside = $0 == heading; next }
        /^$/ { inside = 0 }
        inside && /^  [a-z]/ { print $1 }'
}

_ration_options() {
    "$@" --help 2>/dev/null | awk '/^  -/ { print }' | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

# The values of an option that has a list of them, which --help shows with "|" between.
_ration_values() {
    local option=$1
    shift
    "$@" --help 2>/dev/null | awk -v option="$option" '
        $1 == option && $2 ~ /[|]/ { gsub(/[|]/, " ", $2); print $2 }'
}

# Where PROG begins in `ration run [OPTIONS] [--] PROG`; nothing if the cursor is before it.
_ration_program_at() {
    local i=2 takes_value
    takes_value=$(ration "${COMP_WORDS[1]}" --help 2>/dev/null |
        awk '/^  --[a-z-]+ [^ ]/ { print $1 }')
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
            --)
                echo $((i + 1))
                return
                ;;
            -*=*) ;;
            -*) grep -qxF -- "${COMP_WORDS[i]}" <<<"$takes_value" && ((i++)) ;;
            *)
                echo "$i"
                return
                ;;
        esac
        ((i++))
    done
}

_ration() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at
    local command=(ration)
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_ration_listed Commands: ration) --help --version" -- "$word")
        return
    fi
    command+=("${COMP_WORDS[1]}")
    case ${COMP_WORDS[1]} in
        run | explain)
            at=$(_ration_program_at)
            if [[ -n $at ]] && declare -F _command_offset >/dev/null; then
                _command_offset "$at"
                return
            fi
            ;;
        mps)
            if ((COMP_CWORD == 2)) && [[ $word != -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_ration_listed Subcommands: ration mps)" -- "$word")
                return
            fi
            ((COMP_CWORD > 2)) && command+=("${COMP_WORDS[2]}")
            ;;
    esac
    local values
    values=$(_ration_values "$before" "${command[@]}")
    if [[ -n $values ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
        return
    fi
    case $before in
        --policy | --driver) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        *)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_ration_options "${command[@]}")" -- "$word")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            fi
            ;;
    esac
}

complete -o filenames -F _ration ration
