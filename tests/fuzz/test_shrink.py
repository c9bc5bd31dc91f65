"""shrink.py on a difference that was planted, and on lists whose least part is known."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import shrink  # noqa: E402


def test_least_part_of_a_list():
    asked = []

    def differs(operations):
        asked.append(operations)
        return {"0.7", "0.40", "1.3"} <= set(operations)

    everything = [f"{thread}.{i}" for thread in range(2) for i in range(60)]
    assert shrink.shrink(everything, differs) == ["0.7", "0.40", "1.3"]
    assert len(asked) < 150


def shrunk(*options):
    command = [sys.executable, HERE / "shrink.py", *options, "--program", os.environ["MAPFUZZ"]]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def test_planted_difference():
    """A wrong answer of mprotect after two stores: mappings, stores and that call are left."""
    for seed in range(1, 100):  # not every sequence comes to that
        done = shrunk(str(seed), "--plant", "2")
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert int(first.split()[0]) <= 5
    wrong = [line for line in lines if line.startswith("+ ") and "mprotect(" in line]
    assert len(wrong) == 1 and "/* 1 */" in wrong[0]
    assert sum("store(" in line for line in lines) >= 1


def test_no_difference():
    """So many stores no sequence makes."""
    done = shrunk("5", "--plant", "1000000")
    assert done.returncode == 1 and "no difference" in done.stdout
