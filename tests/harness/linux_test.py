"""Run one guest test program here, on Linux, the oracle: linux_test.py PROGRAM."""

import subprocess
import sys
import tempfile

import tap

SECONDS = 100


def main() -> int:
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="stos-test-") as folder:
        try:
            done = subprocess.run(
                [program],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as expired:
            print((expired.stdout or b"").decode(errors="replace"))
            print(f"no end after {SECONDS} s")
            return 1
    output = done.stdout.decode(errors="replace")
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    verdict = tap.judge(output, status)
    print(output + verdict.reason)
    if verdict.skipped:
        return tap.SKIPPED
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
