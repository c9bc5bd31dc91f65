"""Exit statuses, and the causes that tell equal ones apart."""

import socket
import subprocess

import pytest
from command import PATIENCE, arguments, cause, run, shell


@pytest.mark.parametrize("status", [0, 1, 7, 125, 255])
def test_the_programs_own(status, tmp_path):
    done = shell(f"exit {status}", "--status-file", tmp_path / "status")
    assert done.returncode == status, done.stderr
    assert cause(tmp_path / "status") == "exit"


@pytest.mark.parametrize("signal", [9, 11, 15])
def test_killed_by_a_signal(signal, tmp_path):
    done = shell(f"kill -{signal} $$", "--status-file", tmp_path / "status")
    assert done.returncode == 128 + signal, done.stderr
    assert cause(tmp_path / "status") == "signal"


def test_not_found(tmp_path):
    done = run("--status-file", tmp_path / "status", program=["no-such-program"])
    assert (done.returncode, cause(tmp_path / "status")) == (127, "not-found")


@pytest.mark.parametrize("program", ["/etc/passwd", "/etc"])
def test_not_executable(program, tmp_path):
    done = run("--status-file", tmp_path / "status", program=[program])
    assert (done.returncode, cause(tmp_path / "status")) == (126, "not-executable")


def test_timeout_keeps_the_output_so_far(tmp_path):
    done = shell("echo early; sleep 1000", "--timeout", 8, "--status-file", tmp_path / "status")
    assert (done.returncode, done.stdout) == (124, b"early\n")
    assert cause(tmp_path / "status") == "timeout"


def test_qemu_fails(tmp_path):
    done = shell("true", "--qemu", "-nonsense", "--status-file", tmp_path / "status")
    assert (done.returncode, cause(tmp_path / "status")) == (125, "qemu")
    assert b"nonsense" in done.stderr


@pytest.mark.parametrize("command", ["reboot -f", "poweroff -f"])
def test_the_machine_ends_without_a_status(command, tmp_path):
    """QEMU ends with 0, as after a triple fault: it must not pass for the program's 0."""
    done = shell(f"{command}; sleep 1000", "--status-file", tmp_path / "status")
    assert (done.returncode, cause(tmp_path / "status")) == (125, "kernel")


def test_qemu_is_ended_by_somebody_else(tmp_path):
    monitor = tmp_path / "monitor"
    options = ["--qemu", f"-monitor unix:{monitor},server=on,wait=off"]
    options += ["--status-file", str(tmp_path / "status")]
    with subprocess.Popen(
        arguments(*options, program=["sh", "-c", "echo up; sleep 1000"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout.readline() == b"up\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(monitor))
            connection.sendall(b"quit\n")
            assert child.wait(PATIENCE) == 125
    assert cause(tmp_path / "status") == "qemu"


def test_an_impossible_status_file_is_wrong_usage(tmp_path):
    done = shell("true", "--status-file", tmp_path / "missing" / "status")
    assert done.returncode == 2


def test_from_the_iso():
    done = shell("echo from the ISO; exit 3", "--iso")
    assert (done.returncode, done.stdout) == (3, b"from the ISO\n")


@pytest.mark.parametrize("model", ["qemu64", "Haswell", "max"])
def test_processor_models(model):
    done = shell("echo up", "--cpu", model)
    assert (done.returncode, done.stdout) == (0, b"up\n"), done.stderr


@pytest.mark.parametrize("size", ["40M", "16G"])
def test_memory_sizes(size):
    done = shell("cat /proc/meminfo", "--mem", size)
    assert done.returncode == 0, done.stderr
    total = int(done.stdout.split()[1]) << 10
    asked = {"40M": 40 << 20, "16G": 16 << 30}[size]
    assert asked * 0.8 < total <= asked
