"""Several processors, as a program sees them: how many there are, and what they do."""

import re

import pytest
from command import shell


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_all_are_found(count):
    done = shell("nproc; grep -c '^processor' /proc/cpuinfo; grep -c '^cpu[0-9]' /proc/stat;"
                 "for cpu in $(seq 0 $(($(nproc) - 1))); do"
                 "  taskset $(printf '%x' $((1 << cpu))) cut -d ' ' -f 39 /proc/self/stat; done",
                 "--smp", count, "--append", "loglevel=info")
    answers = [int(line) for line in done.stdout.split()]
    assert answers[:3] == [count] * 3
    assert answers[3:] == list(range(count))  # each of them runs programs


def test_more_than_stos_uses():
    assert shell("nproc", "--qemu", "-smp 18").stdout.split() == [b"16"]


BUSY = ("printf '#!/bin/sh\\nwhile :; do :; done\\n' >/tmp/busy; chmod +x /tmp/busy;"
        "/tmp/busy & ")


def usage(top: str) -> tuple[dict[str, int], str]:
    """The last report's percentages, and the lines of that report."""
    report = top.rpartition("CPU:")[2]
    numbers = re.findall(r"(\d+)% (\w+)", report.partition("\n")[0])
    return {word: int(number) for number, word in numbers}, report


def test_top_shows_who_is_busy():
    done = shell(BUSY + "top -b -n 3 -d 1; kill $!", "--smp", 2)
    shares, report = usage(done.stdout.decode())
    # One of two processors is busy; `top` itself needs a little.
    assert 40 <= shares["usr"] <= 75 and shares["idle"] <= 60
    assert sum(shares.values()) >= 95
    busy = re.search(r"(\d+)% \{busy\} ", report)
    assert busy and 40 <= int(busy[1]) <= 60


def test_a_nice_programs_time_is_told_apart():
    done = shell(BUSY + "renice -n 10 $! >/dev/null; top -b -n 2 -d 1; kill $!", "--smp", 1)
    shares, _ = usage(done.stdout.decode())
    assert shares["nic"] >= 70
