"""Lets clang check what the kernel says about locks: REQUIRES, GUARDED_BY (kernel/base/annotate.h).

Run by CTest (label host): `python3 tests/check_thread_safety.py BUILD`, where BUILD is a folder in
which CMake has configured the kernel. Every C file is only analysed, with the flags that it is
compiled with. Exits 1 with clang's words.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ANALYSIS = ["-fsyntax-only", "-Wthread-safety", "-Wno-unknown-warning-option", "-ferror-limit=0"]
OURS = ("boot", "kernel", "mm", "fs", "drivers")
GCC_ONLY = {"-fno-tree-loop-distribute-patterns"}


def kernel_files(build: pathlib.Path) -> dict[str, list[str]]:
    """The flags of each C file of the kernel, without those of the output."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        if "kernel_objects.dir" not in entry["command"] or not entry["file"].endswith(".c"):
            continue
        flags = words[1:words.index("-o")]
        found[entry["file"]] = [flag for flag in flags if flag not in GCC_ONLY]
    return found


def analyse(file: str, flags: list[str]) -> str:
    done = subprocess.run(
        ["clang", *ANALYSIS, *flags, "-Wno-error", "-Werror=thread-safety", file],
        capture_output=True, text=True,
    )
    return done.stderr if done.returncode else ""


def main() -> int:
    files = kernel_files(pathlib.Path(sys.argv[1]))
    if not files:
        print("no file of the kernel is in compile_commands.json")
        return 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(analyse, files, files.values()) if text]
    print("".join(complaints), end="")
    print(f"{len(files)} files, {len(complaints)} with complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
