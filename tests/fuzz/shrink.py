#!/usr/bin/python3
"""Shrink a sequence of mapfuzz on which stos and Linux differ to a short one that still differs.

    tests/fuzz/shrink.py SEED [--ops N] [--threads N] [--kernel check] [--smp N]

Operations are left out, many at first, then single ones, as long as the digests differ (ddmin:
Zeller and Hildebrandt, Simplifying and isolating failure-inducing input, 2002); in the end, none
can be left out. What remains is printed with Linux's answers, like C, and behind it the lines that
are others on stos: the raw material of a regression test in tests/guest/. `./stos test fuzz` builds
the program and the kernels. --plant N shrinks a difference that is made on purpose, on this machine
alone: see tests/fuzz/operations.c.
"""

import argparse
import difflib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/tests/fuzz/mapfuzz"
DIED = "died\n"


def linux_command(program: Path, *options: str) -> list[str]:
    return [str(program), *options]


def stos_command(program: Path, kernel: str, processors: int, *options: str) -> list[str]:
    variant = [] if kernel == "plain" else [f"--{kernel}", "--append", "check=every"]
    run = [ROOT / "stos", "run", "--no-build", "--quick", *variant, "--smp", processors]
    command = [*run, "--add", f"{program}:/mapfuzz", "--", "/mapfuzz", *options]
    return [str(word) for word in command]


class Server:
    """`mapfuzz --serve` somewhere: started when first asked, and again after it died."""

    def __init__(self, command: list[str]):
        self._command = command
        self._process: subprocess.Popen | None = None

    def ask(self, seed: int, operations: list[str]) -> str:
        """The line that ends the sequence of these operations."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        try:
            self._process.stdin.write(f"{seed} {','.join(operations)}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        for line in self._process.stdout:
            if line.startswith("seed "):
                return line
        self.close()
        return DIED

    def close(self) -> None:
        if self._process is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                pass
            self._process.wait()
            self._process = None


def shrink(operations: list[str], differs: Callable[[list[str]], bool]) -> list[str]:
    """As few of the operations as possible: without any one of them nothing differs."""
    parts = 2
    while len(operations) >= 2:
        size = -(-len(operations) // parts)
        for begin in range(0, len(operations), size):
            rest = operations[:begin] + operations[begin + size :]
            if differs(rest):
                operations, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(operations))
    return operations


def trace(command: list[str], seed: int, operations: list[str]) -> list[str]:
    chosen = ["--seed", str(seed), "--only", ",".join(operations), "--trace"]
    done = subprocess.run([*command, *chosen], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return done.stdout.decode(errors="replace").splitlines()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument("--ops", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kernel", choices=("plain", "check", "ubsan"), default="plain")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--plant", type=int)
    wanted = parser.parse_args()
    options = ["--ops", str(wanted.ops), "--threads", str(wanted.threads)]
    one = linux_command(wanted.program, *options)
    other = stos_command(wanted.program, wanted.kernel, wanted.smp, *options)
    if wanted.plant:
        other = linux_command(wanted.program, *options, "--plant", str(wanted.plant))
    servers = [Server([*command, "--serve"]) for command in (one, other)]

    def differs(operations: list[str]) -> bool:
        lines = [server.ask(wanted.seed, operations) for server in servers]
        return lines[0] != lines[1]

    operations = [f"{thread}.{i}" for thread in range(wanted.threads) for i in range(wanted.ops)]
    if not differs(operations):
        print(f"seed {wanted.seed}: no difference")
        return 1
    operations = shrink(operations, differs)
    for server in servers:
        server.close()
    lines = [trace(command, wanted.seed, operations) for command in (one, other)]
    print(f"{len(operations)} operations: --seed {wanted.seed} --only {','.join(operations)}")
    print("\n".join(difflib.ndiff(*lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
