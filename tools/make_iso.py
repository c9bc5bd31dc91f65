#!/usr/bin/python3
"""Make the boot image: GRUB for BIOS, the kernel, the initrd, and nothing GRUB does not need.

    make_iso.py --kernel build/stos.elf --initrd build/initrd.cpio --config iso/grub.cfg \\
        -o build/stos.iso

Called by the build. The kernel goes in without its DWARF (gdb reads build/stos.elf): GRUB would
load that as well. Symbols stay.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GRUB = "/usr/lib/grub/i386-pc"
MODULES = "multiboot2 normal iso9660 biosdisk part_msdos all_video gfxterm"
COMMAND = ["grub-mkrescue", "-d", GRUB, "--locales=", "--fonts=", "--themes="]


def make(kernel: Path, initrd: Path, config: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="iso-", dir=output.parent) as folder:
        boot = Path(folder, "root", "boot")
        (boot / "grub").mkdir(parents=True)
        subprocess.run(["strip", "--strip-debug", "-o", boot / "stos.elf", kernel], check=True)
        shutil.copy(initrd, boot / "initrd.cpio")
        shutil.copy(config, boot / "grub" / "grub.cfg")
        image = Path(folder, "image.iso")
        command = [*COMMAND, f"--install-modules={MODULES}", "-o", image, boot.parent]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={**os.environ, "TMPDIR": folder})
        if made.returncode != 0:
            sys.exit(f"grub-mkrescue failed:\n{made.stdout}{made.stderr}")
        os.replace(image, output)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    for name in ("kernel", "initrd", "config"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    wanted = parser.parse_args()
    make(wanted.kernel, wanted.initrd, wanted.config, wanted.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
