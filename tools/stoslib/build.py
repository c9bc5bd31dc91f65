"""Building by CMake: quiet on the terminal, everything in build/log, one build at a time."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import lock, message
from .layout import BUILD, LOGS, ROOT, TESTS, Variant
from .outcome import Failure

LOCK = BUILD / ".lock"


@contextlib.contextmanager
def exclusively() -> Iterator[int]:
    """Hold the build lock; children that inherit the descriptor prolong it beyond our own end."""
    with lock.held(LOCK) as descriptor:
        yield descriptor


def kernel(variant: Variant, descriptor: int) -> None:
    """Bring the variant's ISO, and with it kernel and initrd, up to date."""
    settings = [f"-DCMAKE_TOOLCHAIN_FILE={ROOT / 'toolchain.cmake'}", *variant.settings]
    _build(variant.name, ROOT, variant.folder, settings, ["--target", "iso"], descriptor)


def tests(descriptor: int, target: str | None = None) -> None:
    """Build all programs of the tests, or the one that is named."""
    targets = ["--target", target] if target else []
    _build("tests", ROOT / "tests", TESTS, [], targets, descriptor)


def _build(
    name: str, source: Path, folder: Path, settings: list[str], targets: list[str], descriptor: int
) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"build-{name}.log"
    with open(log, "wb") as file:
        if not _configured(source, folder):
            message.say_to_person(f"configuring {name} (log: {log})")
            configure = ["cmake", "-S", str(source), "-B", str(folder), "-G", "Ninja", *settings]
            _command(name, configure, log, file, descriptor)
        message.say_to_person(f"building {name} (log: {log})")
        _command(name, ["cmake", "--build", str(folder), *targets], log, file, descriptor)


def _configured(source: Path, folder: Path) -> bool:
    """True when the folder was configured for this very source; an older one is made afresh."""
    cache = folder / "CMakeCache.txt"
    try:
        text = cache.read_text()
    except FileNotFoundError:
        return False
    if f"CMAKE_HOME_DIRECTORY:INTERNAL={source}\n" in text and (folder / "build.ninja").exists():
        return True
    cache.unlink()
    shutil.rmtree(folder / "CMakeFiles", ignore_errors=True)
    return False


def _command(name: str, command: list[str], log: Path, file, descriptor: int) -> None:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=file,
        stderr=file,
        pass_fds=[descriptor],
        process_group=0,
    )
    try:
        status = process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()
        raise
    if status != 0:
        message.show_tail(log, 40)
        raise Failure("build", f"the build of {name} failed; all of it is in {log}")
