"""Compare what the rounds of all guest tests in one boot left behind: guest_rounds.py rounds.json.

Whatever the first round needed for good, another does not need again: free memory, and the live
objects and slots of each of the kernel's object caches, are the same, exactly. And what passed in
the first round passes in the others.
"""

import json
import sys
from pathlib import Path


def differences(first: dict[str, list[int]], second: dict[str, list[int]]) -> list[str]:
    names = sorted(first.keys() | second.keys())
    return [
        f"{name}: {first.get(name)} after the first round, {second.get(name)} after the second"
        for name in names
        if first.get(name) != second.get(name)
    ]


def main() -> int:
    path = Path(sys.argv[1])
    if not path.exists():
        print("the boot has no result of its rounds")
        return 1
    result = json.loads(path.read_text())
    figures = result["figures"]
    problems = [result["problem"]] if result["problem"] else []
    problems += result["failed_later"]
    complete = "MemFree" in figures.get("2", {}) and len(figures["1"]) > 20
    if complete:
        problems += differences(figures["1"], figures["2"])
    else:
        problems.append("the second round did not come to its end")
    print("\n".join(problems))
    print(f"{len(result['names'])} programs, {len(figures.get('1', {}))} figures: MemFree "
          f"{figures.get('1', {}).get('MemFree')} and {figures.get('2', {}).get('MemFree')}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
