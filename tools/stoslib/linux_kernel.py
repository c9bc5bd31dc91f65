"""Debian's Linux kernel, to compare with: fetched by apt, unpacked in build/, not installed."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import BinaryIO

from . import message, packages
from .layout import BUILD, LOGS
from .outcome import Failure

META_PACKAGE = "linux-image-cloud-amd64"  # depends on the image of the current version
KEPT = BUILD / "linux"
ADVICE = "--linux FILE takes another kernel image, --no-linux does without"


def image() -> Path:
    """The image as fetched before, or fetched now. The caller holds the build lock."""
    kept = sorted(KEPT.glob("vmlinuz-*"))
    if kept:
        return kept[-1]
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool, path=packages.SEARCH):
            raise Failure("packages", f"no {tool} to fetch {META_PACKAGE} with; {ADVICE}", 1)
    message.say(f"fetching Debian's {META_PACKAGE} into {KEPT}")
    return _fetch()


def _fetch() -> Path:
    """apt's lists may be absent or stale, so a failure is tried again after an update."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "apt-linux.log"
    shutil.rmtree(KEPT, ignore_errors=True)
    work = KEPT / "work"
    work.mkdir(parents=True)
    with open(log, "wb") as file:
        if not _download(work, file):
            _run(["apt-get", "update"], work, file)
            if not _download(work, file):
                message.show_tail(log, 10)
                raise Failure("packages", f"apt cannot fetch {META_PACKAGE}; {ADVICE}", 1)
    for found in work.glob("boot/vmlinuz-*"):
        found.rename(KEPT / found.name)
    shutil.rmtree(work)
    kept = sorted(KEPT.glob("vmlinuz-*"))
    if not kept:
        raise Failure("packages", f"no boot/vmlinuz-* in {META_PACKAGE}; {ADVICE}", 1)
    return kept[-1]


def _download(work: Path, file: BinaryIO) -> bool:
    """Fetch and unpack the package with the image, which the one without a version depends on."""
    listing = subprocess.run(["apt-cache", "depends", META_PACKAGE], capture_output=True, text=True)
    package = re.search(r"Depends: (linux-image-\S+)", listing.stdout)
    if not package or not _run(["apt-get", "download", package[1]], work, file):
        return False
    archives = [archive.name for archive in work.glob("*.deb")]
    return all(_run(["dpkg-deb", "--extract", archive, "."], work, file) for archive in archives)


def _run(command: list[str], folder: Path, file: BinaryIO) -> bool:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    return done.returncode == 0
