"""Run the guest test programs in stos, in as few boots as possible, and keep what each said.

    guest_boot.py --label guest --variant plain --processors 2 --rounds 1 --programs DIR
        --results DIR NAME...

One boot runs one program after the other (guest_runner.sh). If the kernel dies or nothing is
heard for a while, the program that was running gets the blame and the last words of the console,
and the next boot goes on behind it. Each program's result is a JSON file that guest_report.py
turns into a test of its own. STOS_TEST_PATTERN, set by `./stos test PATTERN`, narrows the names.

With more rounds all programs run as often in the same boot, and what each round left of memory and
kernel objects goes to rounds.json, for guest_rounds.py (the test LABEL.rounds). Each program is
judged by its first run.
"""

import argparse
import json
import os
import re
import selectors
import subprocess
import sys
import time
from pathlib import Path

HARNESS = Path(__file__).resolve().parent
STOS = HARNESS.parents[1] / "stos"
SILENCE_SECONDS = 200
MOST_LOST = 8  # boots that may be lost before the rest is given up


class Boot:
    """One boot's traffic: collects results as the runner reports them."""

    def __init__(self, wanted: argparse.Namespace, names: list[str]):
        self.results: dict[str, dict] = {}
        self.figures: dict[str, dict[str, list[int]]] = {}
        self.failed_later: list[str] = []
        self.current: str | None = None
        self._lines: list[str] = []
        self._began = 0.0
        self._process = subprocess.Popen(
            [STOS, "run", "--no-build", "--quick", *wanted.options]
            + ["--add", f"{wanted.programs}:/tests"]
            + ["--add", f"{HARNESS}/guest_runner.sh:/run-tests"]
            + ["--", "sh", "/run-tests", str(wanted.rounds), *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def carry_out(self) -> tuple[int, str]:
        """Read to the end; the status of `stos run` and what it said on standard error."""
        rest, errors = b"", b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            selector.register(self._process.stderr, selectors.EVENT_READ)
            heard = time.monotonic()
            while selector.get_map():
                for key, _ in selector.select(1):
                    content = os.read(key.fd, 65536)
                    heard = time.monotonic()
                    if not content:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stderr:
                        errors += content
                    else:
                        *lines, rest = (rest + content).split(b"\n")
                        for line in lines:
                            self._take(line.decode(errors="replace"))
                if time.monotonic() - heard > SILENCE_SECONDS:
                    self._process.terminate()
                    heard = time.monotonic()
                    errors += b"\nnothing was heard for %d s\n" % SILENCE_SECONDS
        return self._process.wait(), errors.decode(errors="replace")

    def _take(self, line: str) -> None:
        begin = re.fullmatch(r"@stos begin (\S+)", line)
        end = re.fullmatch(r"@stos end (\S+) (\d+) (-?\d+) (-?\d+)", line)
        figure = re.fullmatch(r"@stos figure (\d+) \d+ (\S+)((?: \d+)+)", line)
        if begin:
            self.current, self._lines = begin[1], []
            self._began = time.monotonic()
        elif end and end[1] == self.current:
            self._take_result(*map(int, end.groups()[1:]))
            self.current = None
        elif figure:
            self.figures.setdefault(figure[1], {})[figure[2]] = list(map(int, figure[3].split()))
        else:
            self._lines.append(line)

    def _take_result(self, status: int, before: int, after: int) -> None:
        if self.current in self.results:
            if status != self.results[self.current]["status"]:
                problem = f"{self.current} now ended with {status}:\n{self.output()}"
                self.failed_later.append(problem)
            return
        self.results[self.current] = {
            "output": self.output(),
            "status": status,
            "free_before_kib": before,
            "free_after_kib": after,
            "seconds": time.monotonic() - self._began,
        }

    def output(self) -> str:
        return "\n".join(self._lines) + "\n"


def selected(names: list[str], label: str) -> list[str]:
    """The names that the pattern asks for; all of them when it asks for the boot alone."""
    pattern = os.environ.get("STOS_TEST_PATTERN", "")
    chosen = [name for name in names if re.search(pattern, f"{label}.{name}")]
    return chosen or names


def asked_for_rounds(label: str) -> bool:
    return bool(re.search(os.environ.get("STOS_TEST_PATTERN", ""), f"{label}.rounds"))


def keep_rounds(wanted: argparse.Namespace, boot: Boot, names: list[str], problem: str) -> None:
    rounds = {
        "names": names,
        "rounds": wanted.rounds,
        "figures": boot.figures,
        "failed_later": boot.failed_later,
        "problem": problem,
    }
    (wanted.results / "rounds.json").write_text(json.dumps(rounds, indent=1))


def run_all(wanted: argparse.Namespace, names: list[str]) -> dict[str, dict]:
    results: dict[str, dict] = {}
    remaining, lost = list(names), 0
    while remaining and lost < MOST_LOST:
        boot = Boot(wanted, remaining)
        status, errors = boot.carry_out()
        results.update(boot.results)
        if wanted.rounds > 1 and not lost:
            keep_rounds(wanted, boot, names, f"status {status}\n{errors}" if status else "")
        remaining = [name for name in remaining if name not in boot.results]
        if not remaining:
            break
        lost += 1
        print(f"the boot ended early, with status {status}\n{errors}")
        victim = boot.current or remaining[0]
        problem = f"stos did not survive this program (status {status})\n{errors}"
        results[victim] = {"output": boot.output(), "problem": problem}
        remaining.remove(victim)
    for name in remaining:
        results[name] = {"output": "", "problem": f"not run: {lost} boots were lost before"}
    return results


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--label", required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--processors", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("names", nargs="+")
    wanted = parser.parse_args()
    wanted.options = ["--smp", wanted.processors]
    wanted.options += [] if wanted.variant == "plain" else [f"--{wanted.variant}"]
    wanted.results.mkdir(parents=True, exist_ok=True)
    for old in wanted.results.glob("*.json"):
        old.unlink()
    if not asked_for_rounds(wanted.label):
        wanted.rounds = 1
    results = run_all(wanted, selected(wanted.names, wanted.label))
    for name, result in results.items():
        (wanted.results / f"{name}.json").write_text(json.dumps(result, indent=1))
    for name, result in sorted(results.items(), key=lambda item: -item[1].get("seconds", 0))[:10]:
        print(f"{result.get('seconds', 0):6.1f} s  {name}")
    finished = [name for name, result in results.items() if "problem" not in result]
    print(f"{len(finished)} of {len(results)} programs ran to their end")
    return 0 if finished else 1


if __name__ == "__main__":
    sys.exit(main())
