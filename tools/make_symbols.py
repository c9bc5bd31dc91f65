"""Makes the kernel's symbol table for backtraces: a nasm file, linked into the final kernel.

The table (section .symbols) is a count, then one {address, offset of the name} per function
sorted by address, then the names. kernel/symbols.c reads it. It lies behind .text, so the
second link does not move any function.
"""

import argparse
import re
import subprocess

# What gcc makes of a function's parts and copies: they go by the function's name.
CLONE = re.compile(r"\.(part|cold|isra|constprop)(\.\d+)?")
KERNEL_HALF = 0xFFFFFFFF80000000


def functions(nm: str, kernel: str) -> list[tuple[int, str]]:
    listing = subprocess.run([nm, "-n", kernel], check=True, capture_output=True, text=True).stdout
    found = []
    for line in listing.splitlines():
        address, kind, name = line.split(maxsplit=2)
        name = CLONE.sub("", name)
        if kind not in "tT" or "." in name or name == "kernel_text_begin":
            continue
        if int(address, 16) >= KERNEL_HALF:
            found.append((int(address, 16), name))
    return found


def write_table(path: str, symbols: list[tuple[int, str]]) -> None:
    with open(path, "w", encoding="ascii") as out:
        out.write("section .symbols progbits alloc noexec nowrite align=8\n")
        out.write("global kernel_symbols\nkernel_symbols:\n")
        out.write(f"\tdq {len(symbols)}\n")
        offset = 0
        for address, name in symbols:
            out.write(f"\tdq {address:#x}, {offset}\n")
            offset += len(name) + 1
        for _, name in symbols:
            out.write(f'\tdb "{name}", 0\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernel", nargs="?", help="the kernel linked without its table")
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--empty", action="store_true", help="an empty table, for the first link")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    write_table(options.output, [] if options.empty else functions(options.nm, options.kernel))


if __name__ == "__main__":
    main()
