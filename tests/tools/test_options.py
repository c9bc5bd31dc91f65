"""The command line: wrong usage is noticed, before anything is built, with status 2."""

import json
import shlex
import subprocess

import pytest
from command import STOS
from stoslib import options
from stoslib.outcome import UsageError

WRONG = [
    "",
    "nonsense",
    "run program",
    "run --",
    "run --unknown",
    "run --no",
    "run --mem 0",
    "run --mem 12X",
    "run --smp 0",
    "run --smp 17",
    "run --timeout 0 -- true",
    "run --timeout nan -- true",
    "run --timeout soon -- true",
    "run --add /etc/passwd",
    "run --add /etc/passwd:relative",
    "run --add /nonexistent:/x",
    "run --add /etc/passwd:/",
    "run --add-libs /etc/passwd",
    "run --add-libs /nonexistent",
    "run --display window",
    "run --display vnc",
    "run --get x:/tmp/x",
    "run --get /x:/nonexistent/x",
    "run --check --ubsan",
    "run --qemu ' -- true",
    "iso -- program",
    "test -- program",
    "bench -- program",
    "bench --linux /nonexistent",
    "bench --linux /etc/passwd --no-linux",
    "test one two",
    "help nonsense",
]


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage(line):
    with pytest.raises(UsageError) as raised:
        options.parse(line.split())
    assert raised.value.outcome.status == 2


def test_wrong_usage_at_the_command(tmp_path):
    status = tmp_path / "status"
    done = subprocess.run(
        [STOS, "run", "--status-file", status, "--mem", "much"], capture_output=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"much" in done.stderr
    assert json.loads(status.read_text())["cause"] == "usage"


@pytest.mark.parametrize(
    ("line", "processors"),
    [
        ("run", 2),
        ("run --smp 1", 1),
        ("debug --smp 16", 16),
        ("run --qemu '-icount shift=0'", 1),
        ("run --qemu '-icount shift=0' --smp 4", 4),
    ],
)
def test_processors(line, processors):
    assert options.parse(shlex.split(line)).smp == processors


def test_too_many_processors_names_the_range():
    with pytest.raises(UsageError) as raised:
        options.parse(["run", "--smp", "17"])
    assert "1 to 16" in str(raised.value)


def test_a_wrong_pattern_is_wrong_usage():
    assert subprocess.run([STOS, "test", "("], capture_output=True).returncode == 2


@pytest.mark.parametrize("verb", ["run", "test", "debug", "bench", "iso", "clean"])
def test_help(verb):
    done = subprocess.run([STOS, verb, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: stos {verb}" in done.stdout
    again = subprocess.run([STOS, "help", verb], capture_output=True, text=True)
    assert again.stdout == done.stdout


def test_the_program_keeps_its_arguments():
    wanted = options.parse(["run", "--quick", "--", "echo", "--mem", "--", "\udcff"])
    assert wanted.quick and wanted.program == [b"echo", b"--mem", b"--", b"\xff"]


def test_add_splits_at_the_last_colon(tmp_path):
    path = tmp_path / "a:b"
    path.write_text("x")
    wanted = options.parse(["run", "--add", f"{path}:/x"])
    assert wanted.additions == [(bytes(path), b"/x")]


def test_additions_keep_their_order():
    line = "run --add /etc/passwd:/1 --add-libs /bin/cat --add /etc/group:/2"
    guests = [guest for _, guest in options.parse(line.split()).additions]
    assert guests[0] == b"/1" and guests[-1] == b"/2"
    assert b"/lib64/ld-linux-x86-64.so.2" in guests[1:-1]


def test_values_may_start_with_a_dash():
    wanted = options.parse(["run", "--qemu", "-s", "--append", "-x", "--append=-y"])
    assert (wanted.qemu, wanted.append) == ("-s", [b"-x", b"-y"])


def test_sizes():
    sizes = {"64": 64 << 20, "64M": 64 << 20, "2G": 2 << 30, "512k": 512 << 10}
    for text, size in sizes.items():
        assert options.parse(["run", "--mem", text]).mem == size


@pytest.mark.parametrize(
    "line, found",
    [
        ("run --status-file f --bad", "f"),
        ("run --status-file=f", "f"),
        ("run -- prog --status-file f", None),
        ("run --status-file", None),
    ],
)
def test_the_status_file_is_found_in_a_wrong_line(line, found):
    assert options.find_status_file(line.split()) == found
