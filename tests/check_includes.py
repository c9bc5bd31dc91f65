"""Enforces which folder may use which (docs/architecture.md): reads every #include of the kernel.

Run by CTest (label host): `python3 tests/check_includes.py`. Exits 1 and names each line that
breaks a rule.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a folder may include from the others. kernel/base is for everybody. A path ending in .h is
# allowed alone.
ALLOWED = {
    "boot": {"boot", "mm/frame.h", "mm/kernel_map.h"},
    "kernel": {"boot", "kernel", "mm", "fs", "drivers"},
    "mm": {"mm", "boot/boot_info.h", "kernel/task.h", "kernel/sched.h", "kernel/signal.h",
           "kernel/cpu.h", "kernel/time.h", "kernel/cmdline.h", "fs/file.h"},
    "fs": {"fs", "mm", "kernel", "drivers/tty.h", "drivers/random.h"},
    "drivers": {"drivers", "mm", "fs", "kernel", "boot/boot_info.h"},
    "libc": {"libc", "include", "sys"},
    "user": {"user", "sys"},
}
# Pure parts of libc and the uapi headers are for all.
EVERYBODY = ("kernel/base/", "kernel/abi/", "linux/", "asm/", "asm-generic/")
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def is_allowed(folder: str, header: str) -> bool:
    if "/" not in header or header.startswith(EVERYBODY):
        return True
    return header in ALLOWED[folder] or header.split("/")[0] in ALLOWED[folder]


def main() -> int:
    bad = 0
    for folder in ALLOWED:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            relative = path.relative_to(ROOT)
            if str(relative).startswith("kernel/base/"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if match and not is_allowed(folder, match[1]):
                    print(f"{relative}:{number}: {folder}/ may not include <{match[1]}>")
                    bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
