"""The verb `test`: build all that is tested and let CTest run it.

CTest runs what tests/CMakeLists.txt names; its summary comes last on standard output. Tests that
boot stos take the products as built here (--no-build), so a run of all tests builds once.
"""

import argparse
import math
import os
import re
import subprocess

from . import build, packages
from .layout import TESTS, VARIANTS, Variant
from .outcome import Failure, Outcome, UsageError

FAILED = 8  # CTest's status when tests failed


def carry_out(wanted: argparse.Namespace) -> Outcome:
    try:
        re.compile(wanted.pattern or "")
    except re.error as error:
        raise UsageError(f"{wanted.pattern!r} is not a regular expression: {error}") from error
    command = ["ctest", "--test-dir", str(TESTS), "--output-on-failure", "--no-tests=error"]
    command += ["--parallel", str(os.cpu_count() or 1)]
    command += ["--tests-regex", wanted.pattern] if wanted.pattern else []
    command += [] if wanted.long else ["--label-exclude", "^long$"]
    with build.exclusively() as descriptor:
        packages.ensure(packages.EMULATOR + packages.BUILD + packages.DEBUG + packages.TEST)
        build.tests(descriptor)
        for variant in _needed(command):
            build.kernel(variant, descriptor)
    return _ctest(command, wanted)


def _needed(command: list[str]) -> list[Variant]:
    """The kernels that the chosen tests boot: other variants' tests have the variant in the label
    (check4.cow) or in the name (stress.check, fuzz.check4)."""
    listing = subprocess.run([*command, "--show-only"], capture_output=True, text=True).stdout
    tests = re.findall(r"^ *Test +#\d+: (?:(?:stress|fuzz)\.)?(\S+)", listing, re.MULTILINE)
    return [
        variant
        for name, variant in VARIANTS.items()
        if name == "plain" or any(test.startswith(name) for test in tests)
    ]


def _ctest(command: list[str], wanted: argparse.Namespace) -> Outcome:
    environment = {
        **os.environ,
        "STOS_TEST_PATTERN": wanted.pattern or "",
        "STOS_STRESS_SECONDS": str(math.ceil(wanted.seconds)),
    }
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, process_group=0)
    try:
        status = process.wait()
    except BaseException:
        os.killpg(process.pid, 15)
        process.wait()
        raise
    if status == 0:
        return Outcome("exit", 0)
    if status == FAILED:
        return Outcome("tests", 1)
    raise Failure("tests", "" if status == 1 else f"ctest ended with status {status}", 1)
