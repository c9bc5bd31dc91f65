"""Signals to stos, runs side by side, and that QEMU never outlives a run."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import PATIENCE, arguments, cause


def start(*options, script="echo up; sleep 1000") -> subprocess.Popen:
    child = subprocess.Popen(
        arguments(*options, program=["sh", "-c", script]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"up\n"
    return child


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def await_end(pid: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.1)
    raise AssertionError(f"process {pid} is still there")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(number, tmp_path):
    child = start("--status-file", tmp_path / "status")
    (emulator,) = descendants(child.pid)
    child.send_signal(number)
    assert child.wait(PATIENCE) == 128 + number
    assert cause(tmp_path / "status") == "interrupted"
    assert json.loads((tmp_path / "status").read_text())["signal"] == number
    await_end(emulator)
    child.stdout.close()


def test_a_signal_that_was_ignored_at_the_start_still_ends_it():
    """As in `./stos run ... &` of a script, where the shell ignores SIGINT for it."""
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = start()
    finally:
        signal.signal(signal.SIGINT, old)
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE) == 130
    child.stdout.close()


def test_qemu_dies_with_a_killed_stos():
    child = start()
    (emulator,) = descendants(child.pid)
    child.kill()
    child.wait()
    await_end(emulator)
    child.stdout.close()


def test_the_run_folder_goes_with_the_run():
    child = start()
    runs = Path(arguments()[0]).parent / "build" / "run"
    (own,) = runs.glob(f"run-{child.pid}-*")
    child.terminate()
    child.wait(PATIENCE)
    assert not own.exists()
    child.stdout.close()


def test_runs_side_by_side(tmp_path):
    children = []
    for i in range(3):
        (tmp_path / str(i)).write_text(f"file {i}\n")
        command = arguments("--add", f"{tmp_path}/{i}:/file", "--get", f"/out:{tmp_path}/out{i}",
                            program=["sh", "-c", f"cat /file - >/out; cat /out; exit {i}"])
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    for i, child in enumerate(children):
        output, _ = child.communicate(f"input {i}\n".encode(), timeout=PATIENCE)
        assert output == f"file {i}\ninput {i}\n".encode()
        assert child.returncode == i
        assert (tmp_path / f"out{i}").read_bytes() == output


def test_from_any_folder_and_by_a_link(tmp_path):
    command = arguments(program=["echo", "here"])
    (tmp_path / "link").symlink_to(command[0])
    done = subprocess.run([tmp_path / "link", *command[1:]], cwd=tmp_path, capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, b"here\n")
    assert os.listdir(tmp_path) == ["link"]
