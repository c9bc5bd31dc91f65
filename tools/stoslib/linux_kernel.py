"""Debian's Linux kernel image, to compare with: fetched by apt, unpacked in build/, not installed."""

import re
import shutil
import subprocess
from pathlib import Path

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
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "apt-linux.log"
    shutil.rmtree(KEPT, ignore_errors=True)
    work = KEPT / "work"
    work.mkdir(parents=True)
    with open(log, "wb") as file:
        package = _dependency(file)
        _call(["apt-get", "download", package], work, file, log)
        for archive in work.glob("*.deb"):
            _call(["dpkg-deb", "--extract", archive.name, "."], work, file, log)
    for found in work.glob("boot/vmlinuz-*"):
        found.rename(KEPT / found.name)
    shutil.rmtree(work)
    kept = sorted(KEPT.glob("vmlinuz-*"))
    if not kept:
        raise Failure("packages", f"no boot/vmlinuz-* in the package {package}; {ADVICE}", 1)
    return kept[-1]


def _dependency(file) -> str:
    """The package with the image; apt's lists are fetched first if they do not name one."""
    for command in (None, ["apt-get", "update"]):
        if command:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        listing = subprocess.run(
            ["apt-cache", "depends", META_PACKAGE], capture_output=True, text=True
        ).stdout
        found = re.search(r"Depends: (linux-image-\S+)", listing)
        if found:
            return found[1]
    raise Failure(
        "packages",
        f"apt knows no {META_PACKAGE}: this is not Debian, or its lists are missing\n"
        f"    sudo apt-get update\n{ADVICE}",
        1,
    )


def _call(command: list[str], folder: Path, file, log: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file
    )
    if done.returncode != 0:
        file.flush()
        message.show_tail(log, 10)
        raise Failure("packages", f"{' '.join(command)} failed: is there a network? {ADVICE}", 1)
