"""Programs that ask for all memory die of it; the shell and the kernel do not."""

import pytest


@pytest.fixture(scope="module")
def free(shell):
    def read() -> int:
        return int(shell.run("grep MemFree /proc/meminfo").split()[1])

    return read


def test_a_program_that_eats_all_memory_is_killed(shell, free):
    shell.run("true")
    before = free()
    output = shell.run("tail /dev/zero; echo status $?")
    assert "status 137" in output
    assert shell.run("echo alive").split() == ["alive"]
    assert before - free() <= 1024


def test_files_do_not_fill_memory(shell, free):
    before = free()
    output = shell.run("cat /dev/zero >/tmp/full; echo status $?")
    assert "No space left" in output and "status 1" in output
    assert shell.run("rm /tmp/full; echo alive").split() == ["alive"]
    assert before - free() <= 1024


def test_a_fork_bomb_that_ends(shell, free):
    before = free()
    script = "n=0; while [ $n -lt 200 ]; do sleep 2 & n=$((n+1)); done; wait; echo forked $n"
    assert "forked 200" in shell.run(f"sh -c '{script}'")
    assert before - free() <= 1024
