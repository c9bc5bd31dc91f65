"""The loader and the shared libraries a program needs, asked of its own loader."""

import os
import re
import struct
import subprocess
from pathlib import Path

from .outcome import UsageError

GLIBC_LOADER = "/lib64/ld-linux-x86-64.so.2"
PT_INTERP = 3  # elf.h
PT_DYNAMIC = 2
ET_DYN = 3


def _interpreter(program: str) -> str | None:
    """The loader named by PT_INTERP; glibc's for a library, None for a static program."""
    image = Path(program).read_bytes()
    if image[:6] != b"\x7fELF\x02\x01":
        raise UsageError(f"--add-libs {program}: not a 64-bit ELF program")
    kind = struct.unpack_from("<H", image, 16)[0]
    table = struct.unpack_from("<Q", image, 32)[0]
    entry_bytes, entries = struct.unpack_from("<HH", image, 54)
    dynamic = False
    for i in range(entries):
        at = table + i * entry_bytes
        segment = struct.unpack_from("<I", image, at)[0]
        offset, _, _, size = struct.unpack_from("<QQQQ", image, at + 8)
        if segment == PT_INTERP:
            return os.fsdecode(image[offset : offset + size].rstrip(b"\0"))
        dynamic = dynamic or segment == PT_DYNAMIC
    library = kind == ET_DYN and dynamic and b".so" in os.fsencode(os.path.basename(program))
    return GLIBC_LOADER if library else None


def needed(program: str) -> list[str]:
    """Absolute paths of the loader and of every library, as the program itself would open them."""
    try:
        loader = _interpreter(program)
    except (OSError, struct.error) as error:
        raise UsageError(f"--add-libs {program}: {error}") from error
    if loader is None:
        return []
    listing = subprocess.run(
        [loader, "--list", os.path.abspath(program)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    missing = re.findall(r"^\s*(\S+) => not found", listing.stdout, re.MULTILINE)
    if listing.returncode != 0 or missing:
        reason = f"not found: {' '.join(missing)}" if missing else listing.stderr.strip()
        raise UsageError(f"--add-libs {program}: {reason}")
    paths = re.findall(r"(?:=>\s*|^\s*)(/\S+) \(0x", listing.stdout, re.MULTILINE)
    return list(dict.fromkeys([loader, *map(os.path.normpath, paths)]))
