"""Compares docs/locking.md with the source: the ranks in their order, and every lock by its name.

Run by CTest (label host): `python3 tests/check_locking_page.py`. Exits 1 and says what is missing
on which side. A lock's name is that of the variable, or STRUCT.FIELD.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("kernel", "mm", "fs", "drivers")
LOCK = r"struct (?:spinlock|mutex|rw_lock) (\w+)"


def source_files() -> list[pathlib.Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.[ch]"))]
    return [path for path in found if path.name != "lock_test.c"]


def locks_of(text: str) -> set[str]:
    """Variables, and fields of the structures that are laid out in the text."""
    found = set(re.findall(rf"^(?:static |extern )?{LOCK}(?:;| =)", text, re.MULTILINE))
    structures = re.finditer(
        r"^(?:static )?struct (?:[A-Z]\w*\(.*?\) |__attribute__\(\(.*?\)\) )?(\w*) ?\{\n"
        r"(.*?)^\}(?: (\w+))?",
        text, re.MULTILINE | re.DOTALL,
    )
    for name, fields, variable in (match.groups() for match in structures):
        for field in re.findall(rf"^\t(?:alignas\(\d+\) )?{LOCK};", fields, re.MULTILINE):
            found.add(f"{name or variable}.{field}")
    return found


def main() -> int:
    page = (ROOT / "docs/locking.md").read_text()
    header = (ROOT / "kernel/base/lock.h").read_text()
    checker = (ROOT / "kernel/lock_check.c").read_text()
    enum = re.search(r"enum lock_rank \{(.*?)\};", header, re.DOTALL)[1]
    names = re.search(r"rank_names\[\] = \{(.*?)\};", checker, re.DOTALL)[1]
    ranks = re.findall(r"^\t(RANK_\w+),", enum, re.MULTILINE)[1:]
    rows = re.findall(r"^\| `([\w.]+)` \| `(RANK_\w+)` \|", page, re.MULTILINE)
    told = {lock for lock, _ in rows}
    there = set().union(*(locks_of(path.read_text()) for path in source_files()))
    complaints = [
        *(f"{lock} is a lock, but not in the table" for lock in sorted(there - told)),
        *(f"{lock} is in the table, but no lock" for lock in sorted(told - there)),
        *(f"{rank} of {lock} is no rank" for lock, rank in rows if rank not in ranks),
        *(
            f"{rank} has no name in kernel/lock_check.c"
            for rank in ranks
            if f"[{rank}]" not in names
        ),
    ]
    if re.findall(r"^\| `(RANK_\w+)` \|", page, re.MULTILINE) != ranks:
        complaints.append(f"the ranks are, in this order: {' '.join(ranks)}")
    print("".join(f"docs/locking.md: {line}\n" for line in complaints), end="")
    print(f"{len(there)} locks, {len(ranks)} ranks")
    return 1 if complaints or not there else 0


if __name__ == "__main__":
    sys.exit(main())
