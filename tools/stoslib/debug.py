"""The verb `debug`: the machine of `run`, stopped before its first instruction, under gdb.

gdb gets the terminal; the guest's console goes to a log and the program's input is empty. With
--wait the guest gets the terminal and gdb is started by hand, as told.
"""

import argparse
import os
import shlex
import signal
import subprocess
import threading

from . import channels, message, terminal
from .layout import VARIANTS
from .outcome import Outcome
from .qemu import Qemu
from .run import STREAMS, Machine, Streams, prepared


class _Detached(Streams):
    """gdb has the terminal: none of the guest's streams is one."""

    def __init__(self) -> None:
        self.kinds = dict.fromkeys(STREAMS, "port")
        self.console = False
        self.source = os.open(os.devnull, os.O_RDONLY)
        self.input = self.output = None


def carry_out(wanted: argparse.Namespace) -> Outcome:
    streams = Streams(bool(wanted.program)) if wanted.wait else _Detached()
    with prepared(wanted) as folder, terminal.restored([0, 1, 2]):
        machine = Machine(wanted, folder, streams)
        port = machine.qemu.wait_for_debugger()
        command = ["gdb", "-q", str(VARIANTS[wanted.variant].kernel)]
        command += ["-ex", f"target remote 127.0.0.1:{port}"]
        if wanted.wait:
            return _serve(machine, streams, shlex.join(command))
        return _attach(machine, command + shlex.split(wanted.gdb), machine.qemu)


def _serve(machine: Machine, streams: Streams, command: str) -> Outcome:
    message.say(f"stopped before the first instruction; elsewhere start\n    {command}")
    try:
        machine.start(streams.console)
        channels.pump(machine.channels, machine.qemu.pid, None)
        channels.drain(machine.channels)
        return machine.outcome()
    finally:
        machine.qemu.stop()


def _attach(machine: Machine, command: list[str], emulator: Qemu) -> Outcome:
    machine.start(False)
    message.say(f"the guest's console: {machine.serial_log}")
    mover = threading.Thread(
        target=channels.pump, args=(machine.channels, emulator.pid, None), daemon=True
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is gdb's: it stops the guest
    mover.start()
    gdb = subprocess.Popen(command, preexec_fn=_own_interrupts)
    try:
        status = gdb.wait()
    finally:
        gdb.terminate()
        emulator.stop()
        mover.join()
    channels.drain(machine.channels, 2.0)
    return Outcome("exit", status if status >= 0 else 128 - status)


def _own_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
