"""The files a run adds to the guest: --add, --add-libs and the job for init, as one cpio archive.

The archive is unpacked over the initrd's files, so it is composed with the initrd in view:
folders that are already there are not named again (their modes stay), missing parents are, and
a parent that is a symbolic link is followed to the folder it means.
"""

import os
import stat
from pathlib import Path

from . import cpio
from .outcome import Failure

JOB = b"/etc/stos/job"
MOST_LINKS = 40  # as Linux's path_resolution(7)


def guest_path(path: bytes) -> bytes:
    """The absolute path without doubled slashes, `.` and `..`."""
    return os.path.normpath(b"/" + path.lstrip(b"/"))


class Overlay:
    def __init__(self, initrd: Path):
        self._entries: dict[bytes, cpio.Entry] = {}
        self._links: dict[bytes, bytes] = {}
        self._folders = {b"/"}
        self._present = {b"/"}  # what the initrd has
        with open(initrd, "rb") as file:
            for name, mode, target in cpio.read(file):
                path = guest_path(name)
                self._present.add(path)
                self._note(path, mode, target)

    def add(self, host: bytes, guest: bytes) -> None:
        """Put the host's file or folder at the guest's path; a later one wins."""
        status = os.stat(host)
        guest = guest_path(guest)
        if not stat.S_ISDIR(status.st_mode):
            self._put(guest, self._entry(host, status))
            return
        self._put_folder(guest, status)
        for folder, subfolders, files in os.walk(host):
            subfolders.sort()
            below = os.path.normpath(os.path.join(guest, os.path.relpath(folder, host)))
            for name in sorted(subfolders + files):
                path = os.path.join(folder, name)
                status = os.lstat(path)
                target = os.path.join(below, name)
                if stat.S_ISDIR(status.st_mode):
                    self._put_folder(target, status)
                elif not stat.S_ISSOCK(status.st_mode):
                    self._put(target, self._entry(path, status))

    def add_text(self, guest: bytes, content: bytes) -> None:
        self._put(guest_path(guest), cpio.Entry.text(content))

    def write(self, path: Path) -> int:
        """Write the archive and return its size in bytes."""
        counts: dict[object, int] = {}
        for entry in self._entries.values():
            if entry.identity is not None:
                counts[entry.identity] = counts.get(entry.identity, 0) + 1
        with open(path, "wb") as file:
            writer = cpio.Writer(file)
            for name, entry in self._entries.items():
                writer.add(name.lstrip(b"/"), entry, counts.get(entry.identity, 1))
            writer.finish()
        return path.stat().st_size

    def _entry(self, path: bytes, status: os.stat_result) -> cpio.Entry:
        mtime = int(status.st_mtime)
        if stat.S_ISLNK(status.st_mode):
            return cpio.Entry.link(os.readlink(path), mtime)
        if stat.S_ISREG(status.st_mode):
            entry = cpio.Entry.host_file(os.fsdecode(path))
            if status.st_nlink > 1:
                entry.identity = (status.st_dev, status.st_ino)
            return entry
        device = (os.major(status.st_rdev), os.minor(status.st_rdev))
        return cpio.Entry(status.st_mode, mtime=mtime, rdev=device)

    def _put(self, guest: bytes, entry: cpio.Entry) -> None:
        path = self._place(guest)
        if path in self._folders:
            raise Failure("add", f"--add: {os.fsdecode(path)} is a folder in the guest")
        self._entries.pop(path, None)
        self._links.pop(path, None)
        self._entries[path] = entry
        self._note(path, entry.mode, entry.data if stat.S_ISLNK(entry.mode) else b"")

    def _put_folder(self, guest: bytes, status: os.stat_result) -> None:
        path = self._follow(guest)
        if path in self._folders:
            return
        path = self._place(guest)
        if path in self._present or path in self._entries:
            raise Failure("add", f"--add: {os.fsdecode(path)} is not a folder in the guest")
        self._entries[path] = cpio.Entry.folder(stat.S_IMODE(status.st_mode), int(status.st_mtime))
        self._folders.add(path)

    def _place(self, guest: bytes) -> bytes:
        """Where the guest's path really lies; its parents are made."""
        parent, name = os.path.split(guest)
        parent = self._follow(parent)
        missing = []
        while parent not in self._folders:
            if parent in self._present or parent in self._entries:
                raise Failure("add", f"--add: {os.fsdecode(parent)} is not a folder in the guest")
            missing.append(parent)
            parent = os.path.dirname(parent)
        for path in reversed(missing):
            self._entries[path] = cpio.Entry.folder()
            self._folders.add(path)
        return os.path.join(self._follow(os.path.dirname(guest)), name)

    def _follow(self, path: bytes) -> bytes:
        """The path with the symbolic links of the guest followed, the last name's too."""
        for _ in range(MOST_LINKS):
            parts = path.strip(b"/").split(b"/")
            for i in range(1, len(parts) + 1):
                prefix = b"/" + b"/".join(parts[:i])
                if prefix in self._links:
                    target = os.path.join(os.path.dirname(prefix), self._links[prefix])
                    path = guest_path(os.path.join(target, *parts[i:]))
                    break
            else:
                return path
        raise Failure("add", f"--add: {os.fsdecode(path)}: too many symbolic links in the guest")

    def _note(self, path: bytes, mode: int, target: bytes) -> None:
        if stat.S_ISDIR(mode):
            self._folders.add(path)
        elif stat.S_ISLNK(mode):
            self._links[path] = target


def job(settings: list[tuple[str, bytes]], arguments: list[bytes]) -> bytes:
    """The job file: settings, an empty string, the program's arguments; NUL after each."""
    lines = [key.encode() + b"=" + value for key, value in settings]
    return b"".join(line + b"\0" for line in [*lines, b"", *arguments])
