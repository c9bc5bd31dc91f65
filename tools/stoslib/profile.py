"""Where a row's instructions go: QEMU's log of executed blocks, weighed, for each kernel function.

QEMU logs each block of instructions when it translates it (in_asm) and a line each time it is
executed (exec). The weight of a block is its executions times its instructions. The log goes
through a pipe and is counted as it comes; it may be gigabytes. What surrounds the row (boot, its
preparations) is taken off by subtracting a run with fewer samples.
"""

import bisect
import os
import re
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .bench import StosGuest

KERNEL = 0xFFFFFFFF80000000  # boot/stos.ld: everything below is a program's
USER = "(user mode)"
EVENTS = {"invlpg": "invlpg", "%cr3": "CR3 reads and writes", "iretq": "iretq", "sysret": "sysret"}
_ADDRESS = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")


@dataclass
class Log:
    """What one run executed: blocks by their address, with the instructions in each."""

    blocks: dict[int, list[str]] = field(default_factory=dict)
    executions: Counter = field(default_factory=Counter)

    def read(self, lines) -> None:
        block: list[str] = []
        for line in lines:
            if line.startswith("Trace"):
                match = _ADDRESS.search(line)
                if match:
                    self.executions[int(match[1], 16)] += 1
            elif line.startswith("IN:"):
                block = []
            elif line.startswith("0x"):
                block.append(line)
            elif block:
                self._keep(int(block[0].partition(":")[0], 16), block)
                block = []

    def _keep(self, address: int, block: list[str]) -> None:
        """-icount has a block translated again, cut short, where a timer falls into it."""
        if len(block) > len(self.blocks.get(address, ())):
            self.blocks[address] = block


class Functions:
    """The kernel's functions by address."""

    def __init__(self, kernel: Path):
        listing = subprocess.run(["nm", kernel], capture_output=True, text=True, check=True).stdout
        words = (line.split() for line in listing.splitlines())
        table = sorted((int(w[0], 16), w[2]) for w in words if len(w) == 3 and w[1] in "tT")
        self._addresses = [address for address, _ in table]
        self._names = [name for _, name in table]

    def name(self, address: int) -> str:
        at = bisect.bisect(self._addresses, address) - 1
        return USER if address < KERNEL or at < 0 else self._names[at]


def record(folder: Path, row: str, samples: int) -> tuple[Log, int]:
    """Run the row on stos with its log read; the log, and the units of a sample."""
    pipe = folder / f"log-{samples}"
    os.mkfifo(pipe)
    log = Log()

    def read() -> None:
        with open(pipe, errors="replace") as lines:
            log.read(lines)

    guest = StosGuest(folder, [row], samples)
    guest.log_blocks(pipe)
    reader = threading.Thread(target=read)
    reader.start()
    units = guest.run()[row].units
    reader.join()
    return log, units


def weigh(less: Log, more: Log, functions: Functions) -> tuple[Counter, Counter, Counter]:
    """What `more` executed beyond `less`: instructions and blocks by function, and the events."""
    executions = Counter(more.executions)
    executions.subtract(less.executions)
    instructions, blocks, seen = Counter(), Counter(), Counter()
    for address, count in executions.items():
        name = functions.name(address)
        block = more.blocks.get(address) or less.blocks.get(address, [])
        instructions[name] += count * len(block)
        blocks[name] += count
        for event in EVENTS:
            seen[event] += count * sum(event in instruction for instruction in block)
    return instructions, blocks, seen
