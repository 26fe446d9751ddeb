#!/usr/bin/env python3
"""stream_list.py COMPILER INCLUDE_DIRECTORY STREAM_ROOM

Compares the lists of the stream layer with the prototypes of cuda.h: every entry point that takes a
stream, in a structure too, and every one that works on the implicit stream has to be on the list, with
a kind that fits; and every entry point at all has to be known.
"""
import pathlib
import re
import subprocess
import sys

# Makes streams in the program's own green contexts, where nothing is lost that was there before.
LEFT_ALONE = {"cuGreenCtxStreamCreate"}
# Work without a stream among the parameters, on the implicit one.
IMPLICIT = re.compile(r"cuMem(cpy|set)|cuLaunch(Grid)?$")
# Kinds of those without a stream of their own, and of those with one in a structure.
WITHOUT = {"implicit", "legacy"}
INSIDE = {"launch", "launch_many", "ask_launch", "upload"}


def header(compiler, include):
    source = "#define __CUDA_API_VERSION_INTERNAL\n#include <cuda.h>\n"
    command = [compiler, "-E", "-P", "-x", "c++", "-I" + include, "-"]
    done = subprocess.run(command, input=source, text=True, stdout=subprocess.PIPE, check=True)
    return " ".join(done.stdout.split())


def structures(text):
    """The names of the structures that hold a stream."""
    found = re.findall(r"struct \w+ \{([^{}]*)\} (\w+)(?=;)", text)
    holding = {name for body, name in found if re.search(r"\bCUstream ", body)}
    aliases = {new for old, new in re.findall(r"typedef (\w+) (\w+);", text) if old in holding}
    return holding | aliases


def expected(text):
    """What the header says: where each entry point's stream is, if it has to do with one."""
    prototypes = re.findall(r"CUresult (cu\w+) ?\(([^;]*)\);", text)
    inside = re.compile(r"\b(%s) ?\*" % "|".join(sorted(structures(text))))
    streams = {}
    for name, parameters in prototypes:
        if re.search(r"\bCUstream\b", parameters):
            streams[name] = "parameter"
        elif inside.search(parameters):
            streams[name] = "inside"
        elif IMPLICIT.match(re.sub(r"(_v\d+)?(_pt[sd][sz])?$", "", name)):
            streams[name] = "without"
    return {name for name, _ in prototypes}, streams


def place(kind):
    return "without" if kind in WITHOUT else "inside" if kind in INSIDE else "parameter"


def family(symbol):
    return re.sub(r"(_v\d+)?(_ptsz|_ptds)?$", "", symbol)


def main(compiler, include, room):
    every, streams = expected(header(compiler, include))
    listed = (pathlib.Path(room) / "streams.def").read_text()
    rows = re.findall(r"^CUDA_STREAM(?:_MEMORY)?\((\w+), (\w+), (\w+)\)$", listed, re.M)
    kinds = {symbol: kind for symbol, _, kind in rows}
    known = set(
        re.findall(r"^ENTRY_POINT\((\w+)\)$",
                   (pathlib.Path(room) / "entry_points.def").read_text(), re.M))
    wrong = [f"{name} takes a stream and is not on the list"
             for name in sorted(set(streams) - set(kinds) - LEFT_ALONE)]
    wrong += [f"{name} is on the list and the header has no such" for name in sorted(set(kinds) - every)]
    wrong += [f"{name} is listed as {kind}, but its stream is: {streams.get(name)}"
              for name, kind in sorted(kinds.items())
              if name in every and streams.get(name) != place(kind)]
    wrong += [f"{symbol} is not of the family {name}" for symbol, name, _ in rows
              if family(symbol) != name]
    wrong += [f"{name} is not among entry_points.def" for name in sorted(every - known)]
    wrong += [f"{name} of entry_points.def is not in the header" for name in sorted(known - every)]
    if len(rows) != len(kinds):
        wrong.append("a symbol is listed twice")
    print("\n".join(wrong) or f"{len(rows)} of {len(every)} entry points")
    return 1 if wrong or len(rows) < 200 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
