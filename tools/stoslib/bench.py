"""The verb `bench`: what system calls, faults and forks cost on stos, and on Debian's Linux.

Both kernels boot the program `cost` (tests/bench/) as process 1, in the same QEMU, which counts
executed instructions: see docs/performance.md. The rows and the table are in bench_rows.py.
"""

import argparse
import contextlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import bench_rows, build, channels, cpio, linux_kernel, message, packages, qemu, run_folder
from .bench_rows import ROWS, Row, Samples
from .layout import BUILD, LOGS, TESTS, VARIANTS
from .outcome import Failure, Outcome, UsageError

RESULTS = BUILD / "bench"
PROGRAM = TESTS / "bench" / "cost"
MEMORY = 1 << 30
PROCESSOR = "max,-erms,-fsrm"  # with these Linux copies by REP MOVSB, counted once for each byte
TIMEOUT = 3600  # seconds; for hangs only: a loaded machine can be ten times slower

# Virtual time is one nanosecond per instruction, and starts with the same date and seed each time.
COUNTING = "-icount shift=0,sleep=off -seed 1 -rtc base=2026-01-01T00:00:00,clock=vm"

# The fastest way to run Debian's kernel: its stock settings take up to 3.4 times as long.
LINUX_ARGUMENTS = (
    "console=ttyS0 rdinit=/cost panic=-1 quiet init_on_alloc=0 randomize_kstack_offset=off "
    "cgroup_disable=memory lsm= audit=0 no5lvl hardened_usercopy=off mitigations=off nokaslr"
)


def carry_out(wanted: argparse.Namespace) -> Outcome:
    rows = chosen(wanted.only)
    with contextlib.ExitStack() as stack:
        with build.exclusively() as descriptor:
            image = _prepare(wanted, descriptor)
            folder = stack.enter_context(run_folder.create())
            parts = bench_rows.parts_of(rows)
            guests = [LinuxGuest(folder, parts, image)] if image else []
            guests.append(StosGuest(folder, parts))
        samples = {guest.name: guest.run() for guest in guests}
    found = {name: bench_rows.figures(name, rows, each) for name, each in samples.items()}
    linux_figures, stos_figures = found.get("Linux", {}), found["stos"]
    text = bench_rows.table(rows, linux_figures, stos_figures)
    data = json.dumps(bench_rows.record(rows, linux_figures, stos_figures), indent=1)
    if rows == list(ROWS):
        _keep(samples, text, data)
    print(data if wanted.json else text)
    return Outcome("exit", 0)


def _prepare(wanted: argparse.Namespace, descriptor: int) -> Path | None:
    """Everything built and fetched; Linux's kernel image, if it is wanted."""
    packages.ensure(packages.EMULATOR + ([] if wanted.no_build else packages.BUILD + packages.TEST))
    if not wanted.no_build:
        build.kernel(VARIANTS["plain"], descriptor)
        build.tests(descriptor, "cost")
    if wanted.no_linux:
        return None
    return Path(wanted.linux) if wanted.linux else linux_kernel.image()


def _keep(samples: dict[str, dict[str, Samples]], text: str, data: str) -> None:
    """The results of a run of all rows stay in build/bench."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, each in samples.items():
        ticks = {row: {"units": told.units, "ticks": told.ticks} for row, told in each.items()}
        (RESULTS / f"{name.lower()}-samples.json").write_text(json.dumps(ticks, indent=1) + "\n")
    (RESULTS / "table.md").write_text(text + "\n")
    (RESULTS / "table.json").write_text(data + "\n")


def chosen(pattern: str | None) -> list[Row]:
    """The rows whose names or texts the pattern is found in."""
    try:
        wanted = re.compile(pattern or "", re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"{pattern!r} is not a regular expression: {error}") from error
    rows = [row for row in ROWS if wanted.search(row.name) or wanted.search(row.text)]
    if not rows:
        names = " ".join(row.name for row in ROWS)
        raise UsageError(f"no row matches {pattern!r}; there are:\n{names}")
    return rows


class Guest:
    """One kernel with the program as process 1; what the program says comes on COM1."""

    name = ""

    def __init__(self, folder: Path, parts: Sequence[str], samples: int | None = None):
        """The program's rows `parts`, with so many samples of each or as many as it likes."""
        self._folder = folder
        self._parts = parts
        self._lines = [f"{part} {samples}" if samples else part for part in parts]
        self._samples: dict[str, Samples] = {}
        self._failure = ""
        self._ended = False
        self._qemu = qemu.Qemu(MEMORY, 1, PROCESSOR, "none")
        self._qemu.split_arguments(COUNTING)

    def _write_archive(self) -> Path:
        path = self._folder / f"{self.name}.cpio"
        with open(path, "wb") as file:
            writer = cpio.Writer(file)
            try:
                writer.add(b"cost", cpio.Entry.host_file(PROGRAM, 0o755))
            except FileNotFoundError as error:
                raise Failure("build", f"{PROGRAM} does not exist: build first") from error
            writer.add(b"cost.rows", cpio.Entry.text("\n".join(self._lines).encode()))
            writer.finish()
        return path

    def run(self) -> dict[str, Samples]:
        message.say(f"booting {self.name}, to measure {len(self._parts)} rows")
        log = self._folder / f"{self.name}.log"
        with open(log, "w") as self._console:
            lines = channels.Lines(self._qemu.console(), self._take)
            self._qemu.start(self._folder / "qemu.log")
            try:
                in_time = channels.pump([lines], self._qemu.pid, TIMEOUT)
            finally:
                self._qemu.stop()
            channels.drain([lines])
        missing = [part for part in self._parts if part not in self._samples]
        if in_time and self._ended and not missing:
            return self._samples
        raise self._failed(log, in_time, missing)

    def _take(self, line: str) -> None:
        """A line of the console: the kernel's, or the program's with `cost: ` in front."""
        print(line, file=self._console)
        words = line.partition("cost: ")[2].split()
        if words == ["end"]:
            self._ended = True
        elif words[:1] == ["failed"]:
            self._failure = " ".join(words)
        elif words:
            told = Samples(int(words[1]), tuple(map(int, words[2:])))
            self._samples[words[0]] = told
            so_far = f"{len(self._samples)} of {len(self._parts)}"
            message.say(f"{self.name}, {so_far}: {words[0]} {bench_rows.number(told.median)}")

    def _failed(self, log: Path, in_time: bool, missing: list[str]) -> Failure:
        LOGS.mkdir(parents=True, exist_ok=True)
        kept = LOGS / f"bench-{self.name}.log"
        shutil.copyfile(log, kept)
        message.show_tail(self._folder / "qemu.log", 10)
        message.show_tail(kept, 20)
        if self._failure:
            why = f"the program {self._failure}"
        elif not in_time:
            why = f"no end after {TIMEOUT} s, before {missing[0] if missing else 'power off'}"
        elif missing:
            why = f"it ended before {missing[0]} was measured"
        else:
            why = "it ended before the program did"
        return Failure("bench", f"{self.name}: {why}; its console: {kept}", 1)


class StosGuest(Guest):
    name = "stos"

    def __init__(self, folder: Path, parts: Sequence[str], samples: int | None = None):
        super().__init__(folder, parts, samples)
        variant = VARIANTS["plain"]
        for product in (variant.kernel, variant.initrd):
            try:
                shutil.copyfile(product, folder / product.name)
            except FileNotFoundError as error:
                raise Failure("build", f"{product} does not exist: build first") from error
        self._qemu.arguments("-kernel", str(folder / variant.kernel.name))
        self._qemu.arguments("-initrd", str(folder / variant.initrd.name))
        self._qemu.firmware_file("overlay", self._write_archive())
        (folder / "append").write_text("init=/cost")
        self._qemu.firmware_file("append", folder / "append")

    def log_blocks(self, log: Path) -> None:
        """Have QEMU log what it translates and executes: see profile.py."""
        self._qemu.arguments("-d", "exec,nochain,in_asm", "-D", str(log))


class LinuxGuest(Guest):
    name = "Linux"

    def __init__(self, folder: Path, parts: Sequence[str], image: Path):
        super().__init__(folder, parts)
        self._qemu.arguments("-kernel", str(image), "-append", LINUX_ARGUMENTS)
        self._qemu.arguments("-initrd", str(self._write_archive()))
