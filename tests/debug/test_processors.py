"""Processors that misbehave, made to by gdb: one that does not start, or hangs on its way
or later, and a panic's account of the others."""

import re
import subprocess

from command import PATIENCE, STOS

HEAD = """
set pagination off
set width 0
set confirm off
"""
# The console's log goes when `stos debug`, gdb's parent, ends.
TAIL = """
python
import glob, os
print("@console")
print(open(glob.glob("%s/build/run/run-%%d-*/serial.log" %% os.getppid())[0]).read())
end
""" % STOS.parent


def debug(tmp_path, script: str, *options: str, program: str):
    """What gdb and the program said, and the guest's console."""
    (tmp_path / "script").write_text(HEAD + script)
    (tmp_path / "tail").write_text(TAIL)
    command = [STOS, "debug", "--no-build", "--quick", *options]
    command += ["--gdb", f"-batch -x {tmp_path}/script -x {tmp_path}/tail"]
    command += ["--", "sh", "-c", program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE)
    said, _, console = done.stdout.partition("@console\n")
    return said, console


# The processor with APIC id 1 is never called while it is waited for, but instead of the next one,
# when it finds a block that is not its own. That one comes at the second call.
LATE = """
break *lapic_send_startup if $edi == 1
commands
  silent
  set $rdi = 77
  continue
end
tbreak *lapic_send_startup if $edi == 2
commands
  silent
  set $rdi = 1
  continue
end
continue
"""


def test_a_processor_that_does_not_answer_is_left_out(tmp_path):
    said, console = debug(tmp_path, LATE, "--smp", "4", "--append", "loglevel=info",
                          program="nproc; grep apicid /proc/cpuinfo")
    assert "processor with APIC id 1 does not start: it is left out" in console
    assert console.count("left out") == 1
    assert "3 processors" in console
    assert re.search(r"^3$", said, re.MULTILINE)
    assert re.findall(r"^apicid\t+: (\d+)", said, re.MULTILINE) == ["0", "2", "3"]


# The first of them stands still where it comes to the kernel, and goes on when it was left out.
STUCK = """
tbreak processor_main
continue
set $code = *(short *)$pc
set *(short *)$pc = 0xfeeb
break *sys_sync
continue
set *(short *)processor_main = $code
delete
continue
"""


def test_a_processor_that_gets_stuck_is_left_out(tmp_path):
    said, console = debug(tmp_path, STUCK, "--smp", "3", "--append", "loglevel=info",
                          program="nproc; sync; sleep 0.1; nproc; grep apicid /proc/cpuinfo")
    assert "processor with APIC id 1 got stuck: it is left out, with those behind it" in console
    assert "1 processors" in console
    assert re.findall(r"^1$", said, re.MULTILINE) == ["1", "1"]
    assert re.findall(r"^apicid\t+: (\d+)", said, re.MULTILINE) == ["0"]


# sync(2) becomes a call of what the stack protector calls.
PANIC = """
break *sys_sync
continue
set $rip = __stack_chk_fail
continue
"""


def test_a_panic_shows_every_processor(tmp_path):
    # One runs `sync`, one the loop; the third has nothing to do.
    program = "{ echo ready; while :; do :; done; } | { read word; exec sync; }"
    _, console = debug(tmp_path, PANIC, "--smp", "3", program=program)
    report = console[console.index("stos: panic: a kernel function overwrote"):]
    panicking = re.search(r"processor (\d), task sync\[\d+\]", report)[1]
    backtrace, _, others = report.partition("the other processors:")
    assert "backtrace:" in backtrace and "syscall_entry" in backtrace
    heads = re.findall(r"processor (\d), task (sh|idle)\[\d+\]:\n( .*)", others)
    assert sorted([panicking, *(number for number, _, _ in heads)]) == ["0", "1", "2"]
    told = {task: first for _, task, first in heads}
    assert set(told) == {"sh", "idle"}
    assert "sched_idle" in others
    assert "does not answer" not in others


# The other processor is caught idling, and made to halt for good with its interrupts off.
HANG = """
break *sys_sync
python
def idling():
    gdb.execute("continue")
    here = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if thread.num != here.num:
            thread.switch()
            if "sched_idle" in gdb.execute("info symbol $pc", to_string=True):
                return here
    here.switch()
    return None

here = idling()
while not here:
    here = idling()
gdb.execute("set $rip = power_halt")
here.switch()
end
delete
break nmi_log_answer
continue
finish
kill
"""


def test_a_processor_that_hangs_is_reported(tmp_path):
    program = "while :; do taskset 1 sync; sleep 0.1; done"
    _, console = debug(tmp_path, HANG, "--smp", "2", "--append", "hang_seconds=2", program=program)
    report = re.search(r"processor 1 has taken no timer interrupt for 2 s; it is here:\n"
                       r".*processor 1, task idle\[\d+\]:\n(.*)", console)
    assert report and "power_halt" in report[1]
    assert "panic" not in console


def test_all_processors_are_threads(tmp_path):
    script = """
break *sys_sync
continue
info threads
thread apply all info symbol $pc
kill
"""
    said, _ = debug(tmp_path, script, "--smp", "3", program="sync")
    threads = re.findall(r"^\*? +\d+ +Thread .*\(CPU#(\d) \[", said, re.MULTILINE)
    assert threads == ["0", "1", "2"]
    assert said.count("sched_idle") == 2 and "sys_sync in section" in said
