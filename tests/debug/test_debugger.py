"""gdb on the whole machine: from before the first instruction to a program's page fault."""

import subprocess

import pytest
from command import PATIENCE, STOS

# The first fault is the kernel's own, on behalf of init's new stack; then one of a program, told
# by the address of its instruction.
SCRIPT = """
set pagination off
set width 0
printf "stopped at %#lx\\n", $pc
break page_fault_handler
continue
condition 1 fault->rip != 0 && fault->rip < 1ul << 47
continue
backtrace
delete
continue
"""


def debug(tmp_path, *options: str, script: str = SCRIPT):
    (tmp_path / "script").write_text(script)
    command = [STOS, "debug", "--no-build", *options, "--gdb", f"-batch -x {tmp_path}/script"]
    command += ["--", "sh", "-c", "echo the program went on"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE)


@pytest.mark.parametrize("way", [[], ["--quick"]])
def test_a_programs_page_fault(way, tmp_path):
    said = debug(tmp_path, *way).stdout
    assert "stopped at 0xfff0" in said
    assert said.count("Breakpoint 1, page_fault_handler") == 2
    frames = said[said.rindex("Breakpoint 1, page_fault_handler") :]
    assert "#0  page_fault_handler" in frames
    assert "trap_dispatch" in frames and "in trap_common" in frames
    assert frames.index("trap_dispatch") < frames.index("in trap_common")
    assert "the program went on" in frames


def test_memory_and_registers_are_the_machines(tmp_path):
    script = """
break kernel_main
continue
printf "paging %d, long mode %d\\n", ($cr0 >> 31) & 1, ($efer >> 10) & 1
info symbol $pc
kill
"""
    said = debug(tmp_path, "--quick", script=script).stdout
    assert "paging 1, long mode 1" in said
    assert "kernel_main" in said
