"""A folder of its own for each run, under build/run, gone when the run is.

Each holds a locked file `lock` as long as its run lives, so that what a killed run left behind
is recognised and removed by the next one.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import lock
from .layout import RUNS


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def remove_dead() -> list[Path]:
    """Remove the folders of runs that are no more; return those that are alive."""
    alive = []
    for folder in sorted(RUNS.glob("run-*")):
        descriptor = lock.take(folder / "lock", wait=False)
        if descriptor is None:
            alive.append(folder)
        else:
            _remove(folder)
            os.close(descriptor)
    return alive


@contextlib.contextmanager
def create() -> Iterator[Path]:
    """A new run folder. The caller holds the build lock: remove_dead must not meet a new one
    before it is locked."""
    remove_dead()
    RUNS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=RUNS))
    descriptor = lock.take(folder / "lock")
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(descriptor)
