"""The verb `run`: build, compose the guest's additions, boot, move the streams, report.

The machine that `debug` uses is put together here too (class Machine).
"""

import argparse
import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from . import (
    build,
    channels,
    guest_files,
    message,
    overlay,
    packages,
    qemu,
    run_folder,
    terminal,
)
from .interrupt import Interrupted
from .layout import LOGS, VARIANTS
from .outcome import Failure, Outcome, from_guest, interrupted

MIB = 1 << 20
DEFAULT_MEMORY = 512 * MIB
LAST_WORDS = 2.0  # seconds a stalled reader gets after QEMU was ended early
TAIL = 40
STREAMS = ("stdin", "stdout", "stderr")
SHELL = [b"/bin/sh", b"-l"]


class Streams:
    """Which of the program's streams are the guest's terminal, and what is behind it here."""

    def __init__(self, program: bool):
        self.reads_terminal = terminal.usable(0)
        interactive = self.reads_terminal and not program
        tty = [self.reads_terminal, *(os.isatty(i) or interactive for i in (1, 2))]
        self.kinds = dict(zip(STREAMS, ("tty" if each else "port" for each in tty)))
        self.console = any(tty)
        self.source = 0  # of a stdin that is a port
        self.input = 0 if self.reads_terminal else None
        self.output = 1 if interactive else next((i for i in (1, 2, 0) if os.isatty(i)), None)

    def settings(self) -> list[tuple[str, bytes]]:
        settings = [(name, kind.encode()) for name, kind in self.kinds.items()]
        if self.console and os.isatty(self.output):
            columns, rows = terminal.size(self.output)
            settings += [("rows", b"%d" % rows), ("cols", b"%d" % columns)]
            settings += [("env", b"TERM=" + os.environb.get(b"TERM", b"linux"))]
        return settings


class Machine:
    """One QEMU with its channels. Use: make, configure, start, pump, then `outcome`."""

    def __init__(self, wanted: argparse.Namespace, folder: Path, streams: Streams):
        self._wanted = wanted
        self._folder = folder
        self._streams = streams
        self._status: Outcome | None = None
        self._finished = False
        self._shutdown = ""
        self.serial_log = folder / "serial.log"
        self._qemu_log = folder / "qemu.log"
        self._outputs: list[channels.Output] = []
        self.channels: list[channels.Channel] = []
        self._files: Path | None = None
        size = self._write_overlay()
        memory = wanted.mem or DEFAULT_MEMORY + _rounded(3 * size)
        self.qemu = qemu.Qemu(memory, wanted.smp, wanted.cpu, wanted.display)
        self._boot_media()
        self._connect()

    def _write_overlay(self) -> int:
        added = overlay.Overlay(self._folder / "initrd.cpio")
        try:
            for host, guest in self._wanted.additions:
                added.add(host, guest)
            settings = self._streams.settings()
            settings += [("get", guest) for guest, _ in self._wanted.get]
            added.add_text(overlay.JOB, overlay.job(settings, self._wanted.program))
            return added.write(self._folder / "overlay.cpio")
        except (OSError, ValueError) as error:
            raise Failure("add", f"--add: {error}") from error

    def _boot_media(self) -> None:
        if self._wanted.quick:
            self.qemu.arguments("-kernel", str(self._folder / "stos.elf"))
            self.qemu.arguments("-initrd", str(self._folder / "initrd.cpio"))
        else:
            self.qemu.arguments("-cdrom", str(self._folder / "stos.iso"), "-boot", "d")
        self.qemu.firmware_file("overlay", self._folder / "overlay.cpio")
        if self._wanted.append:
            line = self._folder / "append"
            line.write_bytes(b" ".join(self._wanted.append))
            self.qemu.firmware_file("append", line)

    def _connect(self) -> None:
        monitor = self.qemu.monitor()
        monitor.sendall(b'{"execute": "qmp_capabilities"}\n')
        self.channels.append(channels.Lines(monitor, self._take_event))
        self.channels.append(channels.Lines(self.qemu.port("stos.status"), self._take_status))
        if self._streams.kinds["stdin"] == "port":
            self.channels.append(channels.Input(self._streams.source, self.qemu.port("stos.stdin")))
        for number in (1, 2):
            if self._streams.kinds[STREAMS[number]] == "port":
                output = channels.Output(self.qemu.port(f"stos.{STREAMS[number]}"), number)
                self._outputs.append(output)
        if self._wanted.get:
            self._files = self._folder / "files.tar"
            sink = os.open(self._files, os.O_WRONLY | os.O_CREAT, 0o600)
            self._outputs.append(channels.Output(self.qemu.port("stos.files"), sink))
        self.channels += self._outputs

    def _take_event(self, line: str) -> None:
        event = json.loads(line) if line else {}
        if "QMP" in event and self._streams.console:
            terminal.leave_output_alone(self._streams.output)
        if event.get("event") == "SHUTDOWN":
            self._shutdown = event["data"]["reason"]

    def _take_status(self, line: str) -> None:
        if line == "done":
            self._finished = True
        elif line and not self._status:
            try:
                self._status = from_guest(line)
            except ValueError as error:
                message.say(f"from the guest: {error}")

    def start(self, console: bool) -> None:
        """Boot. With `console`, COM1 is our terminal; otherwise it goes to a log."""
        if not console:
            self.qemu.console_to_file(self.serial_log)
            self.qemu.split_arguments(self._wanted.qemu)
            self.qemu.start(self._qemu_log)
            return
        self.qemu.console_on_stdio(self.serial_log)
        self.qemu.split_arguments(self._wanted.qemu)
        with _writable(self._streams.output) as output:
            self.qemu.start(self._qemu_log, self._streams.input, output)

    def outcome(self) -> Outcome:
        """Call when QEMU has ended and everything is drained."""
        status = self.qemu.wait()
        if status == 0 and self._status and self._finished:
            return self._after_program(self._status)
        if status == qemu.PANIC_STATUS:
            return self._kernel_failed("the kernel panicked")
        if status == 0 and self._shutdown.startswith("guest-"):
            return self._kernel_failed(_NO_STATUS.get(self._shutdown, self._shutdown))
        if status == 0 and self._streams.console and self._shutdown in _BY_HAND:
            return Outcome("left", 125 if self._wanted.program else 0)
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        message.show_tail(self._qemu_log, TAIL)
        return Outcome("qemu", 125, f"QEMU ended with {ended} {self._shutdown}".rstrip())

    def _after_program(self, result: Outcome) -> Outcome:
        for output in self._outputs:
            if output.error:
                return Outcome("output", 125, f"writing our output: {output.error.strerror}")
        if self._files:
            problems = guest_files.unpack(self._files, self._wanted.get)
            for problem in problems:
                message.say(f"--get: {problem}")
            if problems and result.status == 0:
                return Outcome("get", 125)
        return result

    def _kernel_failed(self, detail: str) -> Outcome:
        LOGS.mkdir(parents=True, exist_ok=True)
        kept = LOGS / f"serial-{os.getpid()}.log"
        shutil.copyfile(self.serial_log, kept)
        if not self._streams.console:
            message.show_tail(kept, TAIL)
        return Outcome("kernel", 125, f"{detail} (serial log: {kept})", {"serial_log": str(kept)})


# Ctrl-A X says nothing; `quit` at QEMU's own prompt does, and closing its window
_BY_HAND = ("", "host-qmp-quit", "host-ui")
_NO_STATUS = {
    "guest-reset": "the processor reset: a triple fault, or a reboot without a status",
    "guest-shutdown": "the guest powered off without reporting a status",
}


def _rounded(size: int) -> int:
    return (size + 16 * MIB - 1) // (16 * MIB) * (16 * MIB)


@contextlib.contextmanager
def _writable(descriptor: int) -> Iterator[int]:
    """The descriptor, or the terminal behind it opened for writing if it only reads."""
    if descriptor != 0:
        yield descriptor
        return
    output = os.open(os.ttyname(0), os.O_WRONLY | os.O_NOCTTY)
    try:
        yield output
    finally:
        os.close(output)


@contextlib.contextmanager
def prepared(wanted: argparse.Namespace) -> Iterator[Path]:
    """Build, and give a run folder with this run's own copies of what it boots."""
    variant = VARIANTS[wanted.variant]
    needed = packages.EMULATOR + ([] if wanted.no_build else packages.BUILD)
    with contextlib.ExitStack() as stack:
        with build.exclusively() as descriptor:
            packages.ensure(needed + wanted.extra_packages)
            if not wanted.no_build:
                build.kernel(variant, descriptor)
            folder = stack.enter_context(run_folder.create())
            for product in (variant.kernel, variant.initrd, variant.iso):
                try:
                    shutil.copyfile(product, folder / product.name)
                except FileNotFoundError as error:
                    raise Failure("build", f"{product} does not exist: build first") from error
        yield folder


def carry_out(wanted: argparse.Namespace) -> Outcome:
    if not wanted.program and not terminal.usable(0):
        wanted.program = SHELL
    streams = Streams(bool(wanted.program))
    with prepared(wanted) as folder, terminal.restored([0, 1, 2]):
        machine = Machine(wanted, folder, streams)
        if not wanted.program:
            message.say("starting the shell; Ctrl-A X leaves")
        return _boot(machine, streams, wanted.timeout)


def _boot(machine: Machine, streams: Streams, timeout: float | None) -> Outcome:
    started = time.monotonic()
    try:
        machine.start(streams.console)
        ended = channels.pump(machine.channels, machine.qemu.pid, timeout)
        if ended:
            channels.drain(machine.channels)
            return machine.outcome()
        result = Outcome("timeout", 124, f"no end after {time.monotonic() - started:.0f} s")
    except Interrupted as signalled:
        result = interrupted(signalled.number)
    finally:
        machine.qemu.stop()
    channels.drain(machine.channels, LAST_WORDS)
    return result
