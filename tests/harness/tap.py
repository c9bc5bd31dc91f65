"""Judging one test program by its TAP output and its exit status."""

import re
from dataclasses import dataclass

SKIPPED = 77  # CTest's SKIP_RETURN_CODE in tests/CMakeLists.txt


@dataclass(frozen=True)
class Verdict:
    passed: bool
    skipped: bool
    reason: str


def judge(output: str, status: int) -> Verdict:
    """Passed means: a plan, as many points as planned, in order, all ok, and exit status 0."""
    plan = re.findall(r"^1\.\.(\d+)(?:\s*# ?skip\b.*)?$", output, re.MULTILINE | re.IGNORECASE)
    points = re.findall(r"^(not )?ok\b ?(\d*)(.*)$", output, re.MULTILINE)
    failed = [number for no, number, rest in points if no and "# todo" not in rest.lower()]
    if "Bail out!" in output:
        return Verdict(False, False, "the program bailed out")
    if status != 0:
        what = f"signal {status - 128}" if status > 128 else f"status {status}"
        failing = f"; not ok: {', '.join(failed)}" if failed else ""
        return Verdict(False, False, f"the program ended with {what}{failing}")
    if len(plan) != 1:
        return Verdict(False, False, f"{len(plan)} plans instead of one")
    if failed:
        return Verdict(False, False, f"not ok: {', '.join(failed)}")
    if int(plan[0]) != len(points):
        return Verdict(False, False, f"{plan[0]} points planned, {len(points)} seen")
    if [number for _, number, _ in points] != [str(i + 1) for i in range(len(points))]:
        return Verdict(False, False, "the points are not numbered in order")
    skipped = all("# skip" in rest.lower() for _, _, rest in points)
    return Verdict(True, skipped, "skipped" if skipped else f"{len(points)} points ok")
