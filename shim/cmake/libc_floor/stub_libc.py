#!/usr/bin/env python3
"""Makes the source of a stand-in for a C library that knows no symbol version above a floor.

usage: stub_libc.py READELF LIBRARY FLOOR ASSEMBLY MAP

For every symbol that LIBRARY exports in some version up to FLOOR (GLIBC_2.28), the newest of these
becomes the default one, so that a link against the stand-in binds to it. What came later is left out:
the linker then names it as undefined. ASSEMBLY defines the symbols, MAP is the version script.
"""

import re
import subprocess
import sys

LINE = re.compile(r"""^\s*\d+:\s+[0-9a-f]+\s+(?P<size>\w+)\s+(?P<type>\w+)\s+(GLOBAL|WEAK|UNIQUE)\s+
                      (DEFAULT|PROTECTED)\s+(?P<section>\w+)\s+
                      (?P<name>[^@\s]+)@@?GLIBC_(?P<version>[\d.]+)(\s|$)""", re.VERBOSE)


def key(version):
    return tuple(int(part) for part in version.split("."))


def exported(readelf, library, floor):
    """name -> (version, is it an object)."""
    listing = subprocess.run([readelf, "-W", "--dyn-syms", library],
                             check=True, capture_output=True, text=True).stdout
    symbols = {}
    for match in filter(None, map(LINE.match, listing.splitlines())):
        # A thread-local one would need an offset of its own; the public ones are functions today.
        if match["section"] == "UND" or match["type"] == "TLS" or key(match["version"]) > floor:
            continue
        known = symbols.get(match["name"])
        if known is None or key(known[0]) < key(match["version"]):
            symbols[match["name"]] = (match["version"], match["type"] == "OBJECT")
    return symbols


def assembly(symbols):
    yield ".text"
    for name, (_, is_object) in sorted(symbols.items()):
        yield f".globl {name}"
        yield f".type {name}, {'%object' if is_object else '%function'}"
        if is_object:
            yield f".size {name}, 8"
        yield f"{name}:"
    yield ".skip 8"
    yield '.section .note.GNU-stack, "", %progbits'


def version_script(symbols):
    versions = {}
    for name, (version, _) in symbols.items():
        versions.setdefault(version, []).append(name)
    hidden = " local: *;"
    for version in sorted(versions, key=key):
        names = " ".join(f"{name};" for name in sorted(versions[version]))
        yield f"GLIBC_{version} {{ global: {names}{hidden} }};"
        hidden = ""


def main():
    readelf, library, floor, to_assembly, to_map = sys.argv[1:]
    symbols = exported(readelf, library, key(floor.removeprefix("GLIBC_")))
    for path, lines in ((to_assembly, assembly(symbols)), (to_map, version_script(symbols))):
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
