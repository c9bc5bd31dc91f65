"""Archives of the kind the kernel unpacks: cpio "newc", with file data on page boundaries.

The data of a regular file larger than a page starts at a multiple of 4096 from the archive's
start, so that the kernel can take the archive's pages as its page cache. The room is made by
padding the name with NULs, which the format allows (cpio(5): a name is a C string of
c_namesize bytes). Names are kept below 4096 bytes, the limit of Linux's own reader; where that
leaves too much room, a record of the top folder is put in front.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

PAGE = 4096
HEADER = 110
LARGEST = 0xFFFFFFFF
TRAILER = b"TRAILER!!!"
FILLER = PAGE // 2


@dataclass
class Entry:
    """One name in the archive. `data` is the content, or the path of the file that has it."""

    mode: int
    data: bytes | str = b""
    size: int = 0
    mtime: int = 0
    rdev: tuple[int, int] = (0, 0)
    identity: object = None  # equal identities are one file with several names

    @classmethod
    def folder(cls, mode: int = 0o755, mtime: int = 0) -> "Entry":
        return cls(stat.S_IFDIR | mode, mtime=mtime)

    @classmethod
    def text(cls, content: bytes, mode: int = 0o644, mtime: int = 0) -> "Entry":
        return cls(stat.S_IFREG | mode, content, len(content), mtime)

    @classmethod
    def link(cls, target: bytes, mtime: int = 0) -> "Entry":
        return cls(stat.S_IFLNK | 0o777, target, len(target), mtime)

    @classmethod
    def host_file(cls, path: str | os.PathLike, mode: int | None = None) -> "Entry":
        """A regular file of the host, read when the archive is written."""
        status = os.stat(path)
        bits = stat.S_IMODE(status.st_mode) if mode is None else mode
        return cls(stat.S_IFREG | bits, os.fspath(path), status.st_size, int(status.st_mtime))


def _aligned(offset: int, to: int) -> int:
    return (offset + to - 1) // to * to


class Writer:
    """Writes entries in the order given; the caller names folders before what is in them."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._offset = 0
        self._next_inode = 1
        self._inodes: dict[object, int] = {}

    def add(self, name: bytes, entry: Entry, links: int = 1) -> None:
        inode, first = self._inode(entry)
        size = entry.size if first else 0
        if size > LARGEST:
            raise ValueError(f"{os.fsdecode(name)}: larger than 4 GiB, the archive's limit")
        padding = 0
        if stat.S_ISREG(entry.mode) and size > PAGE:
            padding = self._room_before_page(len(name) + 1)
            if len(name) + 1 + padding > PAGE:
                self._record(b".", Entry.folder(), 0, 0, 2, FILLER - _aligned(HEADER + 2, 4))
                padding -= FILLER
        self._record(name, entry, size, inode, links, padding)
        if size:
            self._data(name, entry, size)

    def finish(self) -> None:
        self._record(TRAILER, Entry(0), 0, 0, 1, 0)
        self._pad(512)

    def _inode(self, entry: Entry) -> tuple[int, bool]:
        """The entry's inode number, and whether this is its first name."""
        if entry.identity in self._inodes:
            return self._inodes[entry.identity], False
        inode = self._next_inode
        self._next_inode += 1
        if entry.identity is not None:
            self._inodes[entry.identity] = inode
        return inode, True

    def _room_before_page(self, name_bytes: int) -> int:
        data = _aligned(self._offset + HEADER + name_bytes, 4)
        return _aligned(data, PAGE) - data

    def _record(
        self, name: bytes, entry: Entry, size: int, inode: int, links: int, padding: int
    ) -> None:
        if len(name) >= FILLER:
            raise ValueError(f"{os.fsdecode(name)}: the name is too long")
        padded = len(name) + 1
        if padding:
            padded = _aligned(HEADER + padded, 4) - HEADER + padding
        fields = (inode, entry.mode, 0, 0, links, entry.mtime, size, 0, 0, *entry.rdev, padded, 0)
        header = b"070701" + b"".join(b"%08X" % (value & LARGEST) for value in fields)
        self._write(header + name.ljust(padded, b"\0"))
        self._pad(4)

    def _data(self, name: bytes, entry: Entry, size: int) -> None:
        if isinstance(entry.data, bytes):
            self._write(entry.data)
        else:
            with open(entry.data, "rb") as source:
                shutil.copyfileobj(source, self._file, 1 << 20)
                copied = source.tell()
            if copied != size:
                raise ValueError(f"{os.fsdecode(name)}: changed while it was being read")
            self._offset += copied
        self._pad(4)

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._offset += len(content)

    def _pad(self, to: int) -> None:
        self._write(bytes(_aligned(self._offset, to) - self._offset))


def read(file: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """The archive's names with their modes, and the targets of symbolic links."""
    while True:
        header = file.read(HEADER)
        if len(header) != HEADER or header[:6] != b"070701":
            raise ValueError("not a cpio archive of the newc kind, or cut off")
        fields = [int(header[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_bytes = fields[1], fields[6], fields[11]
        name = file.read(_aligned(HEADER + name_bytes, 4) - HEADER)[:name_bytes].split(b"\0")[0]
        if name == TRAILER:
            return
        start = file.tell()
        target = file.read(size) if stat.S_ISLNK(mode) else b""
        file.seek(start + _aligned(size, 4))
        yield name, mode, target
