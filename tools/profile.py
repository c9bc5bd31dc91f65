#!/usr/bin/python3
"""Where the instructions of a row of `./stos bench` go, by kernel function.

    tools/profile.py fork_exit_wait [--top 30]

Takes what was built last. Each column is for one unit of the row: instructions, their share, and
how many blocks of straight code they are in. Below stand events that the count says nothing of:
what flushes the TLB, and the ways back from the kernel. docs/performance.md tells more.
"""

import argparse
import contextlib
import sys

from stoslib import build, profile, run_folder
from stoslib.bench_rows import ROWS, number, parts_of
from stoslib.layout import VARIANTS
from stoslib.outcome import Failure

FEWER, MORE = 1, 3  # samples


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", metavar="ROW", choices=parts_of(ROWS),
                        help="as `./stos bench --help` lists them")
    parser.add_argument("--top", metavar="N", type=int, default=30, help="functions to show (30)")
    wanted = parser.parse_args()
    try:
        with contextlib.ExitStack() as stack:
            with build.exclusively():
                folder = stack.enter_context(run_folder.create())
            less, units = profile.record(folder, wanted.row, FEWER)
            more, _ = profile.record(folder, wanted.row, MORE)
    except Failure as failure:
        print(f"profile: {failure.outcome.detail}", file=sys.stderr)
        return failure.outcome.status
    functions = profile.Functions(VARIANTS["plain"].kernel)
    show(*profile.weigh(less, more, functions), (MORE - FEWER) * units, wanted.top)
    return 0


def show(instructions, blocks, events, units: int, top: int) -> None:
    total = sum(instructions.values())
    print(f"{number(total / units)} instructions in one unit")
    for name, count in instructions.most_common(top):
        share = 100 * count / total
        print(f"{count / units:12,.1f} {share:5.1f}% {blocks[name] / units:8,.1f}  {name}")
    for event, count in events.most_common():
        print(f"{count / units:12,.2f} times {profile.EVENTS[event]}")


if __name__ == "__main__":
    sys.exit(main())
