"""Turn what guest_boot.py kept of one program into a test result: guest_report.py RESULT.json."""

import json
import sys
from pathlib import Path

import tap


def main() -> int:
    path = Path(sys.argv[1])
    if not path.exists():
        print("the boot has no result of this program")
        return 1
    result = json.loads(path.read_text())
    print(result["output"], end="")
    if "problem" in result:
        print(result["problem"])
        return 1
    verdict = tap.judge(result["output"], result["status"])
    before, after = result["free_before_kib"], result["free_after_kib"]
    print(f"{verdict.reason}; free memory {before} KiB before, {after} KiB after")
    if after < before:
        print(f"{before - after} KiB did not come back, and not when it ran again either")
        return 1
    if verdict.skipped:
        return tap.SKIPPED
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
