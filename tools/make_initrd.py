#!/usr/bin/python3
"""Make the root file system's archive: a skeleton, busybox with its applets, our programs.

    make_initrd.py --root iso/root --program /sbin/init=build/user/init ... \\
        --file /usr/share/testcard.ppm=build/testcard.ppm ... -o build/initrd.cpio

Called by the build. Order of precedence: programs and files, then the skeleton, then busybox: an
applet with the name of one of our programs is left out, wherever it lies.
"""

import argparse
import os
import stat
import subprocess
import sys
from pathlib import Path

from stoslib import cpio

FOLDERS = {
    "dev": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "run": 0o755,
    "tmp": 0o1777,
    "var/log": 0o755,
    "var/tmp": 0o1777,
}
BUSYBOX = "bin/busybox"


def applets(busybox: Path) -> list[str]:
    listing = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True)
    return listing.stdout.split()


def compose(
    root: Path, busybox: Path, programs: dict[str, Path], files: dict[str, Path]
) -> dict[str, cpio.Entry]:
    """The archive's entries by their paths, without those of parents."""
    ours = {os.path.basename(path) for path in programs}
    entries = {name: cpio.Entry.folder(mode) for name, mode in FOLDERS.items()}
    target = b"/" + BUSYBOX.encode()
    for applet in applets(busybox):
        if os.path.basename(applet) not in ours:
            entries[applet] = cpio.Entry.link(target)
    entries[BUSYBOX] = cpio.Entry.host_file(busybox, 0o755)
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_dir():
            entries.setdefault(name, cpio.Entry.folder())
        else:
            executable = path.stat().st_mode & stat.S_IXUSR
            entries[name] = cpio.Entry.host_file(path, 0o755 if executable else 0o644)
    for path, program in programs.items():
        entries[path.lstrip("/")] = cpio.Entry.host_file(program, 0o755)
    for path, file in files.items():
        entries[path.lstrip("/")] = cpio.Entry.host_file(file, 0o644)
    return entries


def with_parents(entries: dict[str, cpio.Entry]) -> dict[str, cpio.Entry]:
    complete: dict[str, cpio.Entry] = {}
    for name in sorted(entries):
        parts = name.split("/")
        for i in range(1, len(parts)):
            parent = "/".join(parts[:i])
            complete.setdefault(parent, entries.get(parent, cpio.Entry.folder()))
        complete[name] = entries[name]
    return complete


def write(entries: dict[str, cpio.Entry], output: Path) -> None:
    part = output.with_name(output.name + ".part")
    with open(part, "wb") as file:
        writer = cpio.Writer(file)
        for name, entry in entries.items():
            writer.add(os.fsencode(name), entry)
        writer.finish()
    os.replace(part, output)


def _placed(value: str) -> tuple[str, Path]:
    path, equals, file = value.partition("=")
    if not equals or not path.startswith("/"):
        raise argparse.ArgumentTypeError(f"{value!r} is not /PATH=FILE")
    return path, Path(file)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--root", type=Path, required=True, help="the skeleton's folder")
    parser.add_argument("--busybox", type=Path, default=Path("/bin/busybox"))
    for name in ("program", "file"):
        parser.add_argument(
            f"--{name}", type=_placed, action="append", default=[], metavar="/P=FILE"
        )
    parser.add_argument("-o", "--output", type=Path, required=True)
    wanted = parser.parse_args()
    entries = compose(wanted.root, wanted.busybox, dict(wanted.program), dict(wanted.file))
    write(with_parents(entries), wanted.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
