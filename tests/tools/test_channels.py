"""Moving streams: framing, ends, back-pressure, and readers that go away."""

import os
import socket
import struct
import subprocess
import threading

import pytest
from stoslib import channels


def process(seconds: float) -> subprocess.Popen:
    return subprocess.Popen(["sleep", str(seconds)])


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_input_is_framed_and_its_end_is_said(pair):
    reading, writing = os.pipe()
    os.write(writing, b"abc\0\xff")
    os.close(writing)
    channel = channels.Input(reading, pair[0])
    child = process(0.2)
    assert channels.pump([channel], child.pid, 10)
    child.wait()
    assert pair[1].recv(100) == struct.pack("<I", 5) + b"abc\0\xff" + struct.pack("<I", 0)
    assert channel.done


def test_an_unreadable_input_is_its_end(pair):
    source = os.open(os.devnull, os.O_WRONLY)
    channel = channels.Input(source, pair[0])
    child = process(0.2)
    channels.pump([channel], child.pid, 10)
    child.wait()
    os.close(source)
    assert pair[1].recv(100) == struct.pack("<I", 0)


def test_output_arrives_whole_through_a_slow_pipe(pair):
    content = os.urandom(3_000_000)
    reading, writing = os.pipe()
    channel = channels.Output(pair[0], writing)
    threading.Thread(target=lambda: (pair[1].sendall(content), pair[1].close())).start()
    taken = []

    def read() -> None:
        with open(reading, "rb") as file:
            taken.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    channels.drain([channel])
    os.close(writing)
    reader.join()
    assert taken == [content]


def test_a_reader_that_goes_away_closes_the_port(pair):
    reading, writing = os.pipe()
    os.close(reading)
    channel = channels.Output(pair[0], writing)
    pair[1].sendall(b"x")
    channels.drain([channel])
    assert channel.done and channel.error is None
    with pytest.raises(BrokenPipeError):
        pair[1].sendall(b"more")
    os.close(writing)


def test_a_full_device_is_an_error(pair):
    sink = os.open("/dev/full", os.O_WRONLY)
    channel = channels.Output(pair[0], sink)
    pair[1].sendall(b"x")
    channels.drain([channel])
    assert channel.error is not None
    os.close(sink)


def test_lines(pair):
    lines = []
    channel = channels.Lines(pair[0], lines.append)
    pair[1].sendall(b"exit 3\ndone\nhalf")
    pair[1].close()
    channels.drain([channel])
    assert lines == ["exit 3", "done"]


def test_time_runs_out(pair):
    child = process(30)
    assert not channels.pump([channels.Lines(pair[0], print)], child.pid, 0.2)
    child.kill()
    child.wait()


def test_a_reader_that_stalls_is_not_waited_for_for_ever(pair):
    reading, writing = os.pipe()
    channel = channels.Output(pair[0], writing)
    pair[1].setblocking(False)
    try:
        while True:
            pair[1].send(bytes(65536))
    except BlockingIOError:
        pair[1].close()
    channels.drain([channel], 0.2)
    assert not channel.done
    os.close(reading)
    os.close(writing)
