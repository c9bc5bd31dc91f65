"""Programs that ask for all memory die of it; the shell and the kernel do not."""

import re

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


# All are there before the first begins: each takes a line from the pipe.
EATERS = """mkfifo /tmp/gate; exec 9<>/tmp/gate
for n in $(seq 20); do { read go; exec tail /dev/zero; } <&9 & pids="$pids $!"; done
yes "" | head -n 20 >&9
for pid in $pids; do wait $pid; echo ended $pid $?; done"""


@pytest.mark.parametrize("processors", [1, 4])
def test_each_of_many_that_eat_memory_is_killed_once(boot, processors):
    session = boot("--mem", "64M", "--smp", str(processors))
    session.await_prompt()
    output = session.run("sh -c '" + EATERS.replace("\n", "; ") + "' 2>/dev/null")
    ended = dict(re.findall(r"ended (\d+) (\d+)", output))
    killed = re.findall(r"killed process (\d+),", output)
    assert len(ended) == 20 and "137" in ended.values()
    # Who was not killed got ENOMEM from a system call; nobody else died.
    assert sorted(killed, key=int) == [pid for pid, status in ended.items() if status == "137"]
