"""Statuses and causes, the judge of TAP, locks, and what is left of killed runs."""

import os
import subprocess

import pytest
import tap
from stoslib import lock, outcome, run_folder


@pytest.mark.parametrize(
    "line, cause, status",
    [
        ("exit 0", "exit", 0),
        ("exit 255", "exit", 255),
        ("signal 9", "signal", 137),
        ("exec 2", "not-found", 127),
        ("exec 13", "not-executable", 126),
        ("exec 8", "not-executable", 126),
    ],
)
def test_what_init_reports(line, cause, status):
    result = outcome.from_guest(line)
    assert (result.cause, result.status) == (cause, status)


@pytest.mark.parametrize("line", ["", "exit", "exit x", "other 1"])
def test_nonsense_from_init_is_refused(line):
    with pytest.raises(ValueError):
        outcome.from_guest(line)


@pytest.mark.parametrize(
    "output, status, passed, skipped",
    [
        ("1..2\nok 1 - a\nok 2 - b\n", 0, True, False),
        ("ok 1\nok 2\n1..2\n", 0, True, False),
        ("1..2\nok 1 - a\n", 0, False, False),
        ("1..1\nok 1\nok 2\n", 0, False, False),
        ("1..2\nok 1\nok 1\n", 0, False, False),
        ("1..1\nnot ok 1 - a\n", 1, False, False),
        ("1..1\nnot ok 1 - a\n", 0, False, False),
        ("1..1\nok 1\n", 139, False, False),
        ("ok 1\n", 0, False, False),
        ("", 0, False, False),
        ("1..1\nok 1\nBail out! no\n", 0, False, False),
        ("1..0 # SKIP not here\n", 0, True, True),
        ("1..2\nok 1 # SKIP no\nok 2 # SKIP no\n", 0, True, True),
        ("1..2\nok 1 # SKIP no\nok 2\n", 0, True, False),
    ],
)
def test_the_judge_of_tap(output, status, passed, skipped):
    verdict = tap.judge(output, status)
    assert (verdict.passed, verdict.skipped) == (passed, skipped)


def test_a_lock_excludes_until_it_is_let_go(tmp_path):
    held = lock.take(tmp_path / "lock")
    assert lock.take(tmp_path / "lock", wait=False) is None
    os.close(held)
    os.close(lock.take(tmp_path / "lock", wait=False))


def test_a_lock_is_prolonged_by_a_child(tmp_path):
    held = lock.take(tmp_path / "lock")
    child = subprocess.Popen(["sleep", "60"], pass_fds=[held])
    os.close(held)
    assert lock.take(tmp_path / "lock", wait=False) is None
    child.kill()
    child.wait()
    os.close(lock.take(tmp_path / "lock", wait=False))


def test_what_a_killed_run_leaves_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder, "RUNS", tmp_path)
    (tmp_path / "run-1-dead").mkdir()
    (tmp_path / "run-1-dead" / "lock").touch()
    with run_folder.create() as folder:
        assert run_folder.remove_dead() == [folder]
        assert os.listdir(tmp_path) == [folder.name]
    assert os.listdir(tmp_path) == []
