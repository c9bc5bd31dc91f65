"""What the checking kernel says about locks: each rule is broken once, through /dev/lock-test.

The report of a panic must name both places: where the lock was taken that is held, and where the
rule was broken. kernel/lock_test.c has the provocations, and kernel/lock_check.c the rules.
"""

import re

import command
import pytest


def provoke(name: str, *options: str):
    """The status of `stos run`, and all that the kernel said."""
    script = f"echo {name} >/dev/lock-test; dmesg 2>/dev/null; echo alive"
    done = command.shell(script, "--check", *options)
    found = re.search(rb"serial log: (\S+?)\)", done.stderr)
    console = open(found[1], "rb").read() if found else done.stderr
    return done, console.decode(errors="replace").replace("\r", "")


def sections(console: str) -> tuple[str, str, str]:
    """The panic's message; the text about locks that are held; the backtrace."""
    message, _, rest = console.partition("stos: panic: ")[2].partition("\n")
    before, _, backtrace = rest.partition("backtrace:\n")
    held = before[before.find("locks of "):] if "locks of " in before else ""
    return message, held, backtrace


@pytest.mark.parametrize(
    "name, message, taken_in, now_in",
    [
        ("spin-order", "lock order: files .* is taken under driver", "take_high", "take_low"),
        ("try-order", "lock order: files .* is taken under driver", "try_high", "take_low"),
        ("spin-twice", "lock files .* is taken twice", "take_low", "take_low"),
        ("spin-release", "spinlock files .* is released by a processor that", None, "release_low"),
        ("sleep-order", "lock order: inode .* sleep leaf", "take_sleeping_high", "take_sleeping_low"),
        ("sleep-twice", "lock inode .* is taken twice", "take_sleeping_low", "take_sleeping_low"),
        ("read-twice", "lock space .* is taken twice", "take_reading", "take_reading"),
        ("sleep-release", "lock inode .* is released by a task", "holder", "release_sleeping_low"),
        ("sleep-under-spin", "sleeping with 1 spinlocks held", "take_low", "take_sleeping_low"),
        ("wait-under-spin", "sleeping with 1 spinlocks held", "take_low", "wait_for_nothing"),
        ("schedule-under-spin", "preempt_count == 0", "take_low", "go_to_sleep"),
        ("to-user", "leaves the kernel with 0 sleeping locks", "take_low", "trap_return_to_user"),
        ("to-user-sleeping", "leaves the kernel with 1 sleeping", "take_sleeping_low",
         "trap_return_to_user"),
        ("handler", "interrupt handlers and with interrupts on", None, "take_low"),
    ],
)
def test_a_broken_rule_is_reported(name, message, taken_in, now_in):
    done, console = provoke(name)
    assert done.returncode == 125 and b"alive" not in done.stdout
    said, held, backtrace = sections(console)
    assert re.search(message, said)
    assert f" {now_in}+" in backtrace
    if taken_in:
        assert f" {taken_in}+" in held


def test_a_long_hold_is_a_warning_once():
    script = "long-hold >/dev/lock-test; echo long-hold"
    done, console = provoke(script, "--append", "spin_limit_us=20000")
    assert done.returncode == 0 and done.stdout == b"alive\n"
