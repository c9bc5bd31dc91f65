"""The Debian packages that each verb needs: found missing by what they provide, then installed."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import message
from .layout import LOGS
from .outcome import Failure

INSTALL = ["apt-get", "install", "--yes", "--no-install-recommends"]
INSTALL += ["-o", "DPkg::Lock::Timeout=600"]
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Package:
    name: str
    why: str
    provides: str  # a command, an absolute path, or python:MODULE

    def present(self) -> bool:
        if self.provides.startswith("python:"):
            return importlib.util.find_spec(self.provides.removeprefix("python:")) is not None
        if self.provides.startswith("/"):
            return Path(self.provides).exists()
        return shutil.which(self.provides, path=SEARCH) is not None


class StaticBusybox(Package):
    def present(self) -> bool:
        """The dynamic package has the same file; only the static one runs without libraries."""
        try:
            return b"/lib64/ld-linux" not in Path(self.provides).read_bytes()[:4096]
        except OSError:
            return False


EMULATOR = [Package("qemu-system-x86", "the machine stos runs on", "qemu-system-x86_64")]
BUILD = [
    Package("cmake", "builds", "cmake"),
    Package("ninja-build", "builds", "ninja"),
    Package("gcc", "compiles", "gcc"),
    Package("nasm", "assembles", "nasm"),
    Package("linux-libc-dev", "Linux's numbers and structures", "/usr/include/linux/mman.h"),
    StaticBusybox("busybox-static", "shell and utilities in the guest", "/bin/busybox"),
    Package("grub-common", "makes the ISO", "grub-mkrescue"),
    Package("grub-pc-bin", "boots the ISO", "/usr/lib/grub/i386-pc/boot.img"),
    Package("xorriso", "makes the ISO", "xorriso"),
]
WINDOW = [
    Package("qemu-system-gui", "QEMU's window", "/usr/lib/x86_64-linux-gnu/qemu/ui-gtk.so"),
]
DEBUG = [Package("gdb", "the debugger", "gdb")]
TEST = [
    Package("libc6-dev", "test programs", "/usr/include/stdio.h"),
    Package("clang", "checks what must be locked", "clang"),
    Package("libcmocka-dev", "host tests", "/usr/include/cmocka.h"),
    Package("musl-tools", "musl test programs", "musl-gcc"),
    Package("python3-pytest", "runs sessions and tool tests", "python:pytest"),
    Package("python3-pexpect", "types at the guest's console", "python:pexpect"),
    Package("cpio", "reads our archives in tests", "cpio"),
]


def ensure(packages: Iterable[Package]) -> None:
    """Install what is missing, or raise Failure naming the command that would."""
    missing = [package for package in packages if not package.present()]
    if not missing:
        return
    for package in missing:
        message.say(f"missing: {package.name} ({package.why})")
    names = [package.name for package in missing]
    command = " ".join(["apt-get", "install", *names])
    if os.geteuid() != 0 or not shutil.which("apt-get", path=SEARCH):
        raise Failure("packages", f"packages are missing; install them with:\n    sudo {command}")
    message.say(f"installing: {' '.join(names)}")
    _install(names)
    importlib.invalidate_caches()
    still = [package.name for package in missing if not package.present()]
    if still:
        raise Failure("packages", f"installed, but still not usable: {' '.join(still)}")


def _install(names: list[str]) -> None:
    """apt-get install; its lists may be absent or stale, so a failure is tried after an update."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / "apt.log"
    with open(log, "wb") as file:
        for command in (INSTALL + names, ["apt-get", "update"], INSTALL + names):
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": SEARCH},
            )
            if command[1] == "install" and done.returncode == 0:
                return
    message.show_tail(log, 20)
    raise Failure("packages", f"apt-get could not install: {' '.join(names)}")
