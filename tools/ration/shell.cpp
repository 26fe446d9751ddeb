#include "tools/ration/shell.h"

namespace ration::tool {
namespace {

// Nothing is special within single quotes but the quote itself, which leaves and re-enters them.
std::string sh_quoted(const std::string& text) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'') {
            result += "'\\''";
        } else {
            result += c;
        }
    }
    return result + "'";
}

// Within single quotes fish knows two escapes, \' and \\.
std::string fish_quoted(const std::string& text) {
    std::string result = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result + "'";
}

}  // namespace

std::string quote(Shell shell, const std::string& value) {
    return shell == Shell::kFish ? fish_quoted(value) : sh_quoted(value);
}

std::string export_line(Shell shell, const std::string& name, const std::string& value) {
    const std::string word = quote(shell, value);
    return shell == Shell::kFish ? "set -gx " + name + " " + word + ";\n"
                                 : "export " + name + "=" + word + ";\n";
}

std::string unset_line(Shell shell, const std::string& name) {
    return (shell == Shell::kFish ? "set -e " : "unset ") + name + ";\n";
}

std::string preload_lines(Shell shell, const std::string& library) {
    const std::string path = quote(shell, library);
    if (shell == Shell::kFish) {
        return "switch \":$LD_PRELOAD:\"\n"
               "case '*:'" +
               path + "':*' '* '" + path + "':*' '*:'" + path +
               "' *'\n"
               "case '*libasan.so*' '*libtsan.so*' '*libhwasan.so*' '*liblsan.so*' "
               "'*libclang_rt.*'\n"
               "    set -gx LD_PRELOAD \"$LD_PRELOAD:\"" +
               path +
               ";\n"
               "case '::'\n"
               "    set -gx LD_PRELOAD " +
               path +
               ";\n"
               "case '*'\n"
               "    set -gx LD_PRELOAD " +
               path +
               "\":$LD_PRELOAD\";\n"
               "end;\n";
    }
    return "case \":${LD_PRELOAD:-}:\" in\n"
           "*[:\\ ]" +
           path +
           "[:\\ ]*) ;;\n"
           "*libasan.so*|*libtsan.so*|*libhwasan.so*|*liblsan.so*|*libclang_rt.*)\n"
           "    export LD_PRELOAD=\"${LD_PRELOAD}:\"" +
           path +
           " ;;\n"
           "*) export LD_PRELOAD=" +
           path +
           "\"${LD_PRELOAD:+:$LD_PRELOAD}\" ;;\n"
           "esac\n";
}

}  // namespace ration::tool
