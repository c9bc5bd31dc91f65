"""Moving bytes between our streams and QEMU's sockets, with back-pressure both ways.

Nothing is read before there is room to pass it on: at most one chunk per channel is in flight,
so a slow reader slows the guest and a slow guest slows our writer. Our own streams are never
made non-blocking (others share them); writes to them are limited to what poll(2) promises.
"""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence

CHUNK = 1 << 16
PROMISED = select.PIPE_BUF  # a pipe that polls writable takes this much without blocking


class Channel:
    """One direction of traffic. `wants` names the one descriptor it waits for at the moment."""

    done = False

    def wants(self) -> tuple[int, int]:
        raise NotImplementedError

    def advance(self) -> None:
        """Called when what it wants has come true; does not block."""
        raise NotImplementedError


class Input(Channel):
    """Our standard input to a port, framed: 32-bit little-endian length, bytes; length 0 ends.

    The end is said in the stream because hanging up could lose what the guest has not read yet.
    The socket therefore stays open until QEMU is gone.
    """

    def __init__(self, source: int, port: socket.socket):
        self._source = source
        self._port = port
        self._frame = b""
        self._ended = False
        port.setblocking(False)

    def wants(self) -> tuple[int, int]:
        if self._frame:
            return self._port.fileno(), select.POLLOUT
        return self._source, select.POLLIN

    def advance(self) -> None:
        if self._frame:
            self._send()
            return
        try:
            content = os.read(self._source, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            content = b""  # a closed, unreadable or vanished stream has no more to give
        self._ended = not content
        self._frame = struct.pack("<I", len(content)) + content

    def _send(self) -> None:
        try:
            self._frame = self._frame[self._port.send(self._frame) :]
        except BlockingIOError:
            return
        except OSError:
            self.done = True
        if not self._frame and self._ended:
            self.done = True


class Output(Channel):
    """A port to one of our descriptors. When ours has no reader, the guest's writers get EPIPE."""

    def __init__(self, port: socket.socket, sink: int):
        self._port = port
        self._sink = sink
        self._chunk = b""
        self.error: OSError | None = None
        port.setblocking(False)

    def wants(self) -> tuple[int, int]:
        if self._chunk:
            return self._sink, select.POLLOUT
        return self._port.fileno(), select.POLLIN

    def advance(self) -> None:
        if self._chunk:
            self._pass_on()
            return
        content = receive(self._port)
        if content is not None:
            self._chunk = content
            self.done = not content

    def _pass_on(self) -> None:
        try:
            written = os.write(self._sink, self._chunk[:PROMISED])
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.error = error
            self._port.close()
            self.done = True
            return
        self._chunk = self._chunk[written:]


class Lines(Channel):
    """A port whose text lines are handed to a function."""

    def __init__(self, port: socket.socket, take: Callable[[str], None]):
        self._port = port
        self._take = take
        self._rest = b""
        port.setblocking(False)

    def wants(self) -> tuple[int, int]:
        return self._port.fileno(), select.POLLIN

    def advance(self) -> None:
        content = receive(self._port)
        if content is None:
            return
        self.done = not content
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").strip())


def receive(port: socket.socket) -> bytes | None:
    """What has come; nothing (b"") when the other side is gone, None when it is just quiet."""
    try:
        return port.recv(CHUNK)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


def _step(channels: Iterable[Channel], extra: int | None, timeout: float | None) -> bool:
    """Let the channels that can advance do so; True if anything was ready."""
    poll = select.poll()
    wanted: dict[int, int] = {}
    active = [channel for channel in channels if not channel.done]
    for channel in active:
        descriptor, events = channel.wants()
        wanted[descriptor] = wanted.get(descriptor, 0) | events
    if extra is not None:
        wanted[extra] = select.POLLIN
    for descriptor, events in wanted.items():
        poll.register(descriptor, events)
    ready = dict(poll.poll(None if timeout is None else max(0, timeout * 1000)))
    for channel in active:
        descriptor, events = channel.wants()
        if ready.get(descriptor, 0) & (events | select.POLLERR | select.POLLHUP | select.POLLNVAL):
            channel.advance()
    return bool(ready)


def pump(channels: Sequence[Channel], process: int, seconds: float | None) -> bool:
    """Move everything until the process ends; False if the time was over before."""
    deadline = None if seconds is None else time.monotonic() + seconds
    watch = os.pidfd_open(process)
    try:
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            _step(channels, watch, left)
            if select.select([watch], [], [], 0)[0]:
                return True
    finally:
        os.close(watch)


def drain(channels: Sequence[Channel], patience: float | None = None) -> None:
    """After the process: read each port to its end. `patience` bounds a wait for our reader."""
    outputs = [channel for channel in channels if not isinstance(channel, Input)]
    while not all(channel.done for channel in outputs):
        if not _step(outputs, None, patience):
            return
