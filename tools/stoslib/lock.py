"""Locks on files, held by an open descriptor: they end with their holders, however those end."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def take(path: Path, wait: bool = True) -> int | None:
    """Lock path, creating it; a descriptor, or None when it is taken and wait is False.

    Whoever deletes the file does so while holding it, hence the second look.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue  # the folder was cleaned away in between
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if _same_file(descriptor, path):
            return descriptor
        os.close(descriptor)


@contextlib.contextmanager
def held(path: Path) -> Iterator[int]:
    descriptor = take(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
