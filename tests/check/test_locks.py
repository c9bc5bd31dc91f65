"""What the checking kernel says about locks: each rule is broken once, through /dev/lock-test.

The report of a panic must name both places: where the lock was taken that is held, and where the
rule was broken. kernel/lock_test.c has the provocations, and kernel/lock_check.c the rules.
"""

import re

import command
import pytest


def provoke(name: str) -> str:
    """All that the kernel said before it ended."""
    done = command.shell(f"echo {name} >/dev/lock-test; echo alive", "--check")
    assert done.returncode == 125 and b"alive" not in done.stdout
    log = re.search(rb"serial log: (\S+?)\)", done.stderr)[1]
    return open(log, "rb").read().decode(errors="replace").replace("\r", "")


def sections(console: str) -> tuple[str, str, str]:
    """The panic's message; the text about locks that are held; the backtrace."""
    message, _, rest = console.partition("stos: panic: ")[2].partition("\n")
    before, _, backtrace = rest.partition("backtrace:\n")
    held = re.split(r"^(?:spin)?locks of ", before, maxsplit=1, flags=re.MULTILINE)[-1]
    return message, held, backtrace


@pytest.mark.parametrize(
    "name, message, taken_in, now_in",
    [
        ("spin-order", "lock order: files .* is taken under driver", "take_high", "take_low"),
        ("try-order", "lock order: files .* is taken under driver", "try_high", "take_low"),
        ("spin-twice", "lock files .* is taken twice", "take_low", "take_low"),
        ("spin-release", "spinlock files .* is released by a processor that", None, "release_low"),
        (
            "sleep-order",
            "lock order: inode .* sleep leaf",
            "take_sleeping_high",
            "take_sleeping_low",
        ),
        ("sleep-twice", "lock inode .* is taken twice", "take_sleeping_low", "take_sleeping_low"),
        ("read-twice", "lock space .* is taken twice", "take_reading", "take_reading"),
        ("sleep-release", "lock inode .* is released by a task", "holder", "release_sleeping_low"),
        ("sleep-under-spin", "sleeping with 1 spinlocks held", "take_low", "take_sleeping_low"),
        ("wait-under-spin", "sleeping with 1 spinlocks held", "take_low", "wait_for_nothing"),
        ("schedule-under-spin", "preempt_count == 0", "take_low", "go_to_sleep"),
        ("reclaim-under-spin", "sleeping with 1 spinlocks held", "take_low", "reclaim"),
        ("touch-user-directly", "page fault in the kernel at ", None, "lock_test_write"),
        ("copy-under-spin", "sleeping with 1 spinlocks held", "take_low", "touch_user"),
        ("copy-under-space", "user memory is touched under space", "take_reading", "touch_user"),
        ("to-user", "leaves the kernel with 0 sleeping locks", "take_low", "syscall_dispatch"),
        ("to-user-sleeping", "leaves the kernel with 1 sleeping", "take_sleeping_low",
         "syscall_dispatch"),
        ("handler", "interrupt handlers and with interrupts on", None, "take_low"),
    ],
)
def test_a_broken_rule_is_reported(name, message, taken_in, now_in):
    said, held, backtrace = sections(provoke(name))
    assert re.search(message, said)
    assert f" {now_in}+" in backtrace
    if taken_in:
        assert f" {taken_in}+" in held


def test_a_long_hold_is_a_warning_for_each_place_once(boot):
    session = boot("--check", "--quick", "--append", "spin_limit_us=20000")
    session.await_prompt()
    first = session.run("echo long-hold >/dev/lock-test")
    assert re.search(r"spinlock files \(rank \d+\) was held for \d+ us, taken at\n", first)
    assert " take_low+" in first and " long_hold+" in first
    assert "held for" not in session.run("echo long-hold >/dev/lock-test")
