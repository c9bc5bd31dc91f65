"""What a run of the guest tests leaves behind, another run does not add to: memory and objects.

The runner of the guest tests compares free memory around each program; here are the kernel's own
objects counted as well, cache by cache, after all programs ran once and after they ran again.
"""

import os
from pathlib import Path

import command

PROGRAMS = Path(os.environ.get("GUEST_PROGRAMS", Path(command.STOS).parent / "build/tests/guest"))
NAMES = """
cow elf exec fault_signals files_data files_open fork_wait futex mem_edges mmap_file mprotect munmap
pipes shared_anon signals stack test_object threads_life timers
""".split()

# After each round what is freed late (orphans, stacks) has a moment, then the allocators let go of
# what they keep for reuse. MemFree is read without starting a process. The shell that does all this
# must not grow meanwhile: it went through everything once before (round 0, one program).
SCRIPT = """
mkdir -p /tmp/work
cd /tmp/work
for round in 0 1 2; do
    case $round in 0) names=cow;; *) names=$NAMES;; esac
    for name in $names; do /tests/$name >/dev/null 2>&1 </dev/null || echo "failed $name"; done
    sleep 1
    for i in 1 2; do echo 3 >/proc/sys/vm/drop_caches; done
    while read -r key value _; do
        case $key in MemFree:) echo "@$round MemFree $value";; esac
    done </proc/meminfo
    while read -r key live _; do
        case $live in [0-9]*) echo "@$round $key $live";; esac
    done </proc/slabinfo
done
"""


def figures(output: str, round_number: int) -> dict[str, int]:
    lines = [line.split() for line in output.splitlines() if line.startswith(f"@{round_number} ")]
    return {name: int(value) for _, name, value in lines}


def test_nothing_is_lost_in_a_second_run():
    script = f"NAMES='{' '.join(NAMES)}'{SCRIPT}"
    done = command.shell(script, "--check", "--add", f"{PROGRAMS}:/tests")
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output + done.stderr.decode(errors="replace")
    assert "failed" not in output
    first, second = figures(output, 1), figures(output, 2)
    assert len(first) > 20
    different = {name: (first.get(name), second.get(name)) for name in first.keys() | second.keys()
                 if first.get(name) != second.get(name)}
    assert not different, f"after the first and the second run: {different}"
