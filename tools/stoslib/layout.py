"""Where things lie in the checkout, and what every process of ours may rely on."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "log"
RUNS = BUILD / "run"
TESTS = BUILD / "tests"


@dataclass(frozen=True)
class Variant:
    """One way of building the kernel: its folder and what CMake is told."""

    name: str
    folder: Path
    settings: tuple[str, ...] = ()

    @property
    def kernel(self) -> Path:
        return self.folder / "stos.elf"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.cpio"

    @property
    def iso(self) -> Path:
        return self.folder / "stos.iso"


VARIANTS = {
    "plain": Variant("plain", BUILD),
    "check": Variant("check", BUILD / "check", ("-DSTOS_CHECK=ON",)),
    "ubsan": Variant("ubsan", BUILD / "ubsan", ("-DSTOS_UBSAN=ON",)),
}


def keep_standard_streams() -> None:
    """Open /dev/null in place of a closed stream, so that no file of ours gets its number."""
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            return
        os.set_inheritable(number, True)
