"""Run the stress program: stress_test.py PROGRAM --where linux|plain|check [--long].

Short runs have fixed seeds. Long ones start from the time of day, and go on for
STOS_STRESS_SECONDS, which `./stos test --seconds N` sets. The program's last words name the seed.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

STOS = Path(__file__).resolve().parents[2] / "stos"
PROCESSORS = 4
SHORT = {"linux": 3000, "plain": 3000, "check": 1500}  # operations of each worker


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--where", choices=SHORT, required=True)
    parser.add_argument("--long", action="store_true")
    wanted = parser.parse_args()
    options, limit = ["--rounds", str(SHORT[wanted.where])], 500
    if wanted.long:
        seconds = int(os.environ.get("STOS_STRESS_SECONDS", "300"))
        options = ["--seconds", str(seconds), "--seed", str(int(time.time()))]
        limit = 2 * seconds + 500  # for hangs: the last run ends after the time is over
    command = [wanted.program, *options]
    if wanted.where != "linux":
        variant = [] if wanted.where == "plain" else [f"--{wanted.where}"]
        machine = ["--quick", "--smp", PROCESSORS, "--timeout", limit]
        run = [STOS, "run", "--no-build", *variant, *machine, "--add", f"{wanted.program}:/stress"]
        command = [*run, "--", "/stress", *options]
    print(*command, flush=True)
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
