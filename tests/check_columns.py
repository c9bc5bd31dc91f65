"""No line of the sources is longer than 100 columns, a tab counted to the next multiple of eight.

Run by CTest (label host): `python3 tests/check_columns.py`. Exits 1 and names each line that is.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("boot", "kernel", "mm", "fs", "drivers", "libc", "user", "tests", "tools")
SUFFIXES = {".c", ".h", ".asm", ".inc", ".def", ".py", ".sh"}
COLUMNS = 100


def main() -> int:
    bad = 0
    for path in sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*")):
        if path.suffix not in SUFFIXES or not path.is_file():
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            columns = len(line.expandtabs(8))
            if columns > COLUMNS:
                print(f"{path.relative_to(ROOT)}:{number}: {columns} columns, {COLUMNS} at most")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
