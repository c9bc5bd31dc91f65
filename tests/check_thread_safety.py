"""Lets clang check what the kernel says about locks: REQUIRES, GUARDED_BY (kernel/base/annotate.h).

Run by CTest (label host): `python3 tests/check_thread_safety.py BUILD`, where BUILD is a folder in
which CMake has configured the kernel. Every C file is only analysed, with the kernel's flags and as
for the checking build. Exits 1 with clang's words.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("boot", "kernel", "mm", "fs", "drivers")
ANALYSIS = ("-DSTOS_CHECK", "-fsyntax-only", "-Wno-error", "-Werror=thread-safety")


def kernel_flags(build: pathlib.Path) -> list[str]:
    """All files of the kernel have the same; kernel/lock.c is one of them."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] == str(ROOT / "kernel/lock.c"):
            words = shlex.split(entry["command"])
            return words[1:words.index("-o")]
    raise SystemExit("kernel/lock.c is not in compile_commands.json")


def analyse(file: pathlib.Path, flags: list[str]) -> str:
    command = ["clang", *flags, *ANALYSIS, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def main() -> int:
    flags = kernel_flags(pathlib.Path(sys.argv[1]))
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).glob("*.c"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(lambda file: analyse(file, flags), files) if text]
    print("".join(complaints), end="")
    print(f"{len(files)} files, {len(complaints)} with complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
