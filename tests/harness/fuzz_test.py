"""Compare what Linux and stos make of random sequences.

    fuzz_test.py MAPFUZZ --where check4 [--long]

Both run the same seeds, stos all of a batch in one boot, and print a digest for each. Half of a
batch are sequences of one thread, half of three. The short runs' seeds are fixed; long ones start
from the time of day and go on for STOS_STRESS_SECONDS, which `./stos test --seconds N` sets.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))

import shrink  # noqa: E402

SHORT = {"plain": 150, "check": 60}  # sequences for each number of threads
BATCH = {"plain": 3000, "check": 1000}
THREADS = (1, 3)
BATCH_SECONDS = 3000  # for hangs
SHOWN = 10


def digests(command: list[str]) -> dict[str, str]:
    """What each seed's line says."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=BATCH_SECONDS
    )
    lines = done.stdout.decode(errors="replace").splitlines()
    return {line.split()[1]: line for line in lines if line.startswith("seed ")}


def compare(wanted: argparse.Namespace, first: int, count: int, threads: int) -> list[str]:
    """The seeds that differ."""
    options = ["--seed", str(first), "--count", str(count), "--threads", str(threads)]
    linux = digests(shrink.linux_command(wanted.program, *options))
    stos = digests(shrink.stos_command(wanted.program, wanted.kernel, wanted.processors, *options))
    if len(linux) != count:
        sys.exit(f"{len(linux)} of {count} sequences ran to their end on Linux")
    different = [seed for seed, line in linux.items() if stos.get(seed) != line]
    for seed in different[:SHOWN]:
        print(f"Linux: {linux[seed]}\nstos:  {stos.get(seed, 'nothing')}")
        print(f"    tests/fuzz/shrink.py {seed} --threads {threads} --kernel {wanted.kernel} "
              f"--smp {wanted.processors}")
    seeds = f"seeds {first} to {first + count - 1}"
    print(f"{seeds}, {threads} threads: {len(different)} differ", flush=True)
    return different


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--where", choices=("plain1", "plain4", "check1", "check4"), required=True)
    parser.add_argument("--long", action="store_true")
    wanted = parser.parse_args()
    wanted.kernel, wanted.processors = wanted.where[:-1], int(wanted.where[-1])
    began, first = time.monotonic(), int(time.time()) if wanted.long else 1
    seconds = int(os.environ.get("STOS_STRESS_SECONDS", "300")) if wanted.long else 0
    count = (BATCH if wanted.long else SHORT)[wanted.kernel]
    different = []
    while True:
        for threads in THREADS:
            different += compare(wanted, first, count, threads)
        first += count
        if time.monotonic() - began >= seconds:
            return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
