"""The QEMU process: its command line, its life, and why it ended.

Everything that goes through QEMU to the guest uses sockets that QEMU inherits; they have no
names, so runs cannot disturb each other. QEMU asks the system to be killed when we die, so it
never outlives the command, however that ends.
"""

import ctypes
import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path

PROGRAM = "qemu-system-x86_64"
PANIC_STATUS = 3  # isa-debug-exit: (1 << 1) | 1, written by the kernel's panic()
PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None)


def quoted(path: Path) -> str:
    """A path inside a QEMU option, where commas separate: a doubled comma means one."""
    return str(path).replace(",", ",,")


def _die_with(parent: int) -> None:
    """In the child: be killed when the parent dies, also if it already has."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Qemu:
    def __init__(self, memory_bytes: int, processors: int, model: str, display: str = "none"):
        self._arguments = [
            *("-nodefaults", "-no-user-config", "-no-reboot"),
            *("-machine", "pc,accel=tcg", "-cpu", model, "-smp", str(processors)),
            *("-m", f"{memory_bytes >> 10}K"),
            *("-vga", "std", "-display", display),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
            *("-device", "virtio-serial-pci"),
        ]
        self._theirs: list[socket.socket] = []
        self._process: subprocess.Popen | None = None

    def arguments(self, *arguments: str) -> None:
        self._arguments += arguments

    def split_arguments(self, text: str) -> None:
        self._arguments += shlex.split(text)

    def firmware_file(self, name: str, path: Path) -> None:
        self.arguments("-fw_cfg", f"name=opt/stos/{name},file={quoted(path)}")

    def _inherit(self, end: socket.socket) -> int:
        self._theirs.append(end)
        return end.fileno()

    def _channel(self, identifier: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.arguments("-chardev", f"socket,id={identifier},fd={self._inherit(theirs)}")
        return ours

    def port(self, name: str) -> socket.socket:
        """Our end of the guest's /dev/virtio-ports/NAME."""
        ours = self._channel(name)
        self.arguments("-device", f"virtserialport,chardev={name},name={name}")
        return ours

    def monitor(self) -> socket.socket:
        """Our end of a QMP monitor."""
        ours = self._channel("monitor")
        self.arguments("-mon", "chardev=monitor,mode=control")
        return ours

    def console(self) -> socket.socket:
        """Our end of COM1."""
        ours = self._channel("console")
        self.arguments("-serial", "chardev:console")
        return ours

    def console_to_file(self, log: Path) -> None:
        self.arguments("-chardev", f"file,id=console,path={quoted(log)}")
        self.arguments("-serial", "chardev:console")

    def console_on_stdio(self, log: Path) -> None:
        """COM1 and QEMU's own keys (Ctrl-A X leaves) on the standard streams QEMU is given."""
        options = "stdio,id=console,mux=on,signal=off"
        self.arguments("-chardev", f"{options},logfile={quoted(log)}")
        self.arguments("-serial", "chardev:console", "-mon", "chardev=console,mode=readline")

    def wait_for_debugger(self) -> int:
        """Stop before the first instruction; the local TCP port gdb is to connect to."""
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        self.arguments("-S", "-gdb", "chardev:gdb")
        self.arguments("-chardev", f"socket,id=gdb,fd={self._inherit(listener)},server=on,wait=off")
        return port

    def start(self, log: Path, stdin: int | None = None, stdout: int | None = None) -> None:
        """Start it; its own words go to the log, and its streams nowhere unless given."""
        parent = os.getpid()
        with open(log, "wb") as words:
            self._process = subprocess.Popen(
                [PROGRAM, *self._arguments],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=words if stdout is None else stdout,
                stderr=words,
                pass_fds=[end.fileno() for end in self._theirs],
                process_group=0 if stdin is None else None,  # our terminal's keys are not for it
                preexec_fn=lambda: _die_with(parent),
            )
        for end in self._theirs:
            end.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        return self._process.wait()

    def stop(self) -> None:
        """End it, if it has not ended."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
