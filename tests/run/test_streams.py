"""Standard input, output and error: separate, 8-bit, whole, with ends in both directions."""

import os
import pty
import subprocess

import pytest
from command import PATIENCE, arguments, run, shell

EVERY_BYTE = bytes(range(256)) * 16


def test_output_and_error_are_separate():
    done = shell("echo out; echo error >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"out\n", b"error\n")


def test_every_byte_passes_both_ways():
    done = run(program=["cat"], input=EVERY_BYTE)
    assert (done.returncode, done.stdout) == (0, EVERY_BYTE)


def test_every_byte_passes_to_standard_error():
    done = shell("cat >&2", input=EVERY_BYTE)
    assert (done.stdout, done.stderr) == (b"", EVERY_BYTE)


def test_megabytes_pass_whole(tmp_path):
    content = os.urandom(8 << 20)
    (tmp_path / "in").write_bytes(content)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as sink:
        done = run(program=["cat"], stdin=source, stdout=sink)
    assert done.returncode == 0
    assert (tmp_path / "out").read_bytes() == content


def test_the_end_of_input_is_seen():
    assert run(program=["wc", "-c"], input=b"x" * 1000).stdout.strip() == b"1000"
    assert run(program=["wc", "-c"]).stdout.strip() == b"0"


def test_a_program_that_does_not_read_still_ends():
    assert shell("exit 4", input=b"x" * 1_000_000).returncode == 4


def test_input_that_never_ends_does_not_keep_the_program():
    reading, writing = os.pipe()
    assert shell("echo done", stdin=reading).stdout == b"done\n"
    os.close(reading)
    os.close(writing)


def test_closed_streams():
    command = subprocess.list2cmdline(map(str, arguments(program=["sh", "-c", "cat; exit 6"])))
    done = subprocess.run(f"{command} <&- >&- 2>&-", shell=True, timeout=PATIENCE)
    assert done.returncode == 6


def test_a_reader_that_leaves_ends_the_writer():
    with subprocess.Popen(
        arguments(program=["yes"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"y\n"
        writer.stdout.close()
        assert writer.wait(PATIENCE) == 128 + 13


def test_output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        assert shell("echo x; sleep 1", stdout=full).returncode == 125


def test_arguments_are_any_bytes():
    given = [b"", b" ", b"a b", b"\xff\xfe", b"--", b"-n", "grün".encode(), b"'\"\\$\n"]
    done = run(program=["sh", "-c", 'printf "%s\\0" "$@"', "sh", *given])
    assert done.stdout == b"".join(argument + b"\0" for argument in given)


def test_environment_and_folder():
    done = run(program=["sh", "-c", "pwd; id -u; exec env"])
    folder, user, *environment = done.stdout.decode().splitlines()
    assert (folder, user) == ("/", "0")
    expected = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "TERM": "linux",
        "LANG": "C.UTF-8",
    }
    found = dict(line.split("=", 1) for line in environment)
    for name in ("PWD", "SHLVL", "OLDPWD", "_"):  # the shell's own
        found.pop(name, None)
    assert found == expected


def test_without_a_terminal_no_stream_is_one():
    done = shell("for i in 0 1 2; do [ -t $i ] && echo $i is a terminal; done; echo done")
    assert done.stdout == b"done\n"


@pytest.mark.parametrize("number", [1, 2])
def test_only_the_stream_that_is_a_terminal_here_is_one_there(number):
    ours, theirs = pty.openpty()
    other = "stdout" if number == 2 else "stderr"
    own = "stderr" if number == 2 else "stdout"
    script = "for i in 0 1 2; do [ -t $i ] && those=$those$i; done; echo $those >&%d" % (3 - number)
    with subprocess.Popen(
        arguments(program=["sh", "-c", script]),
        stdin=subprocess.DEVNULL,
        **{own: theirs, other: subprocess.PIPE},
    ) as child:
        os.close(theirs)
        said = getattr(child, other).read()
        assert child.wait(PATIENCE) == 0
    os.close(ours)
    assert said == b"%d\n" % number


def test_commands_for_the_shell_can_be_piped_in():
    done = run(input=b"echo one; echo two >&2\nexit 9\n")
    assert (done.returncode, done.stdout, done.stderr) == (9, b"one\n", b"two\n")
