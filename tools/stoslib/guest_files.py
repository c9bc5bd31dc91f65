"""Unpacking the tar stream that --get brings back. The guest is not trusted with our paths.

Every member is placed below the HOST path that was asked for, never through a symbolic link the
archive itself made, and owned by whoever runs stos. Modes, times and links are kept.
"""

import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path


def unpack(archive: Path, wanted: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """Place what was asked for as (GUEST, HOST) pairs; the problems, in words."""
    unpacker = _Unpacker([(_relative(guest), os.fsdecode(host)) for guest, host in wanted])
    try:
        with tarfile.open(archive, "r:", errors="surrogateescape") as tar:
            for member in tar:
                unpacker.place(tar, member)
    except tarfile.ReadError:
        unpacker.problems.append("the guest sent no complete archive")
    unpacker.finish()
    return unpacker.problems


def _relative(path: bytes) -> str:
    return os.path.normpath("/" + os.fsdecode(path).lstrip("/"))[1:]


class _Unpacker:
    def __init__(self, wanted: list[tuple[str, str]]):
        self._wanted = wanted
        self._found: set[str] = set()
        self._placed: dict[str, str] = {}
        self._folders: list[tuple[str, tarfile.TarInfo]] = []
        self.problems: list[str] = []

    def place(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = _relative(os.fsencode(member.name))
        for guest, host in self._wanted:
            if name == guest:
                target = host
            elif guest == "" or name.startswith(guest + "/"):
                target = os.path.join(host, os.path.relpath(name, guest or "."))
            else:
                continue
            self._found.add(guest)
            try:
                self._make(tar, member, host, target)
                self._placed.setdefault(name, target)
            except OSError as error:
                self.problems.append(str(error))

    def finish(self) -> None:
        """Give folders their modes and times last, and name what did not come."""
        for target, member in reversed(self._folders):
            os.chmod(target, member.mode & 0o7777)
            os.utime(target, (member.mtime, member.mtime))
        for guest, _ in self._wanted:
            if guest not in self._found:
                self.problems.append(f"/{guest}: not in the guest")

    def _make(self, tar: tarfile.TarFile, member: tarfile.TarInfo, host: str, target: str) -> None:
        self._check_parents(host, target)
        if member.isdir():
            os.makedirs(target, exist_ok=True)
            self._folders.append((target, member))
            return
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        if os.path.lexists(target):
            os.unlink(target)
        if member.issym():
            os.symlink(member.linkname, target)
        elif member.islnk():
            self._make_link(member, target)
        elif member.isreg():
            with open(target, "xb") as file:
                shutil.copyfileobj(tar.extractfile(member), file, 1 << 20)
            os.chmod(target, member.mode & 0o7777)
            os.utime(target, (member.mtime, member.mtime))
        else:
            self.problems.append(f"/{member.name}: not a file, folder or link; left out")

    def _make_link(self, member: tarfile.TarInfo, target: str) -> None:
        original = self._placed.get(_relative(os.fsencode(member.linkname)))
        if original is None:
            self.problems.append(f"/{member.name}: linked to a file that was not asked for")
        else:
            os.link(original, target, follow_symlinks=False)

    def _check_parents(self, host: str, target: str) -> None:
        """No folder between HOST and the target may be a link out of it."""
        parent = os.path.dirname(target)
        while len(parent) > len(host):
            if os.path.islink(parent):
                raise OSError(f"{parent} is a symbolic link; nothing is written through it")
            parent = os.path.dirname(parent)
