"""The command line: verbs, their options, and what each value may be. Wrong usage is status 2."""

import argparse
import math
import os
import re
import shlex
from typing import Any, NoReturn

from . import bench, bench_rows, debug, libraries, run, testing, tidy
from .layout import VARIANTS
from .outcome import Outcome, UsageError
from .packages import DEBUG, WINDOW

PROGRAM_NOTE = """\
PROGRAM is looked up in the guest's PATH and runs as root in / with the environment
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root
LOGNAME=root SHELL=/bin/sh TERM=linux LANG=C.UTF-8 (TERM is yours on a terminal).
Without PROGRAM the shell starts on this terminal; Ctrl-A X leaves, `poweroff` ends.
If standard input is no terminal, the shell reads its commands from it.
"""
STATUS_NOTE = """\
exit status:
  N        the program's own              125  stos, the build, QEMU or the kernel failed
  128+N    killed by signal N             126  PROGRAM cannot be executed
  124      --timeout passed               127  PROGRAM not found
  130/143  stos got SIGINT/SIGTERM        2    wrong usage; nothing was built
--status-file tells causes apart: {"cause": ..., "status": ...}, see tools/README.md.
"""

PROCESSORS = 2  # without --smp
MOST_PROCESSORS = 16


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any):
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        usage = self.format_usage().rstrip()
        raise UsageError(f"{message}\n{usage}\n`{self.prog} --help` explains")


def _host_and_guest(value: str) -> tuple[bytes, bytes]:
    host, colon, guest = os.fsencode(value).rpartition(b":")
    if not colon or not host or not guest.startswith(b"/"):
        raise argparse.ArgumentTypeError(f"{value!r} is not HOST:/GUEST")
    if not os.path.exists(host):
        raise argparse.ArgumentTypeError(f"{os.fsdecode(host)}: no such file or folder")
    if not os.access(host, os.R_OK):
        raise argparse.ArgumentTypeError(f"{os.fsdecode(host)}: not readable")
    if b"\0" in guest or (guest.strip(b"/") == b"" and not os.path.isdir(host)):
        raise argparse.ArgumentTypeError(f"{value!r}: a file needs its final name")
    return host, guest


def _guest_and_host(value: str) -> tuple[bytes, bytes]:
    guest, colon, host = os.fsencode(value).rpartition(b":")
    if not colon or not host or not guest.startswith(b"/"):
        raise argparse.ArgumentTypeError(f"{value!r} is not /GUEST:HOST")
    if not os.path.isdir(os.path.dirname(host) or b"."):
        raise argparse.ArgumentTypeError(f"{os.fsdecode(host)}: its folder does not exist")
    return guest, host


def _program_libraries(value: str) -> list[tuple[bytes, bytes]]:
    return [(os.fsencode(path), os.fsencode(path)) for path in libraries.needed(value)]


def _memory(value: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]*)([kKmMgG]?)", value)
    if not match:
        raise argparse.ArgumentTypeError(f"{value!r} is not a size such as 64M or 2G")
    unit = {"k": 10, "m": 20, "g": 30}[match[2].lower() or "m"]
    return int(match[1]) << unit


def _readable(value: str) -> str:
    if not os.path.isfile(value) or not os.access(value, os.R_OK):
        raise argparse.ArgumentTypeError(f"{value}: no readable file")
    return value


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive number of seconds")
    return seconds


def _processors(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?", value) or int(value) > MOST_PROCESSORS:
        raise argparse.ArgumentTypeError(
            f"{value!r} is not a number of processors, 1 to {MOST_PROCESSORS}")
    return int(value)


def _default_processors(qemu_arguments: str) -> int:
    """With -icount processors take turns, so that one that spins for another starves it."""
    return 1 if "-icount" in shlex.split(qemu_arguments) else PROCESSORS


def _display(value: str) -> str:
    if not re.fullmatch(r"none|(gtk|sdl)(,.*)?|vnc=.+", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not none, gtk, sdl or vnc=ADDRESS")
    return value


def _qemu_arguments(value: str) -> str:
    try:
        shlex.split(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r}: {error}") from error
    return value


class _Extend(argparse.Action):
    """Appends to the list it shares with other options: their order among each other counts."""

    def __call__(self, parser, namespace, value, option=None):
        values = value if isinstance(value, list) else [value]
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), *values])


def _add_variant_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(variant="plain", extra_packages=[])
    group = parser.add_mutually_exclusive_group()
    for name, text in (
        ("check", "the kernel checks its invariants as it goes (slow)"),
        ("ubsan", "undefined behaviour in the kernel is a panic (slow)"),
    ):
        assert name in VARIANTS
        group.add_argument(f"--{name}", dest="variant", action="store_const", const=name, help=text)


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    parser.set_defaults(additions=[])
    add("--add", dest="additions", metavar="HOST:GUEST", type=_host_and_guest, action=_Extend,
        help="put a file or folder into the guest; GUEST is its final name; repeatable")
    add("--add-libs", dest="additions", metavar="HOST", type=_program_libraries, action=_Extend,
        help="put the loader and libraries of the program HOST at their own paths; repeatable")
    add("--get", metavar="GUEST:HOST", type=_guest_and_host, action="append", default=[],
        help="afterwards copy a file or folder out of the guest; repeatable")
    add("--mem", metavar="SIZE", type=_memory,
        help="memory, such as 64M or 2G (512M and room for what is added)")
    add("--smp", metavar="N", type=_processors,
        help=f"processors, 1 to {MOST_PROCESSORS} ({PROCESSORS}; with QEMU's -icount 1)")
    add("--cpu", metavar="MODEL", default="max", help="processor model of QEMU (max)")
    add("--display", metavar="KIND", type=_display, default="none",
        help="show the guest's screen: gtk or sdl (a window), vnc=ADDRESS such as vnc=:1 (none)")
    add("--append", metavar="ARG", type=os.fsencode, action="append", default=[],
        help="an argument on the kernel's command line; repeatable")
    add("--qemu", metavar="ARGS", type=_qemu_arguments, default="",
        help="more arguments for QEMU, split as a shell would, placed last")
    add("--quick", action="store_true", help="boot the kernel image directly, not from the ISO")
    add("--no-build", action="store_true", help="take what was built last")
    _add_variant_options(parser)


def _add_run(verbs: Any) -> None:
    parser = verbs.add_parser(
        "run", help="boot stos; run a program in it, or the shell",
        usage="stos run [OPTIONS] [-- PROGRAM ARG...]",
        description="Boot stos in QEMU and run PROGRAM.\n\n" + PROGRAM_NOTE, epilog=STATUS_NOTE)
    parser.add_argument("--timeout", metavar="SECONDS", type=_seconds,
                        help="end QEMU this long after its start")
    parser.add_argument("--status-file", metavar="FILE", help="write cause and status as JSON")
    _add_machine_options(parser)
    parser.set_defaults(carry_out=run.carry_out)


def _add_debug(verbs: Any) -> None:
    parser = verbs.add_parser(
        "debug", help="the same under gdb, stopped before the first instruction",
        usage="stos debug [OPTIONS] [-- PROGRAM ARG...]",
        description="Start stos stopped before its first instruction, with gdb attached to it\n"
        "and the kernel's symbols loaded. The guest's console goes to a log, which\n"
        "gdb names when it starts. `break page_fault_handler`, then `continue`.\n\n" + PROGRAM_NOTE)
    parser.add_argument("--gdb", metavar="ARGS", type=_qemu_arguments, default="",
                        help="more arguments for gdb, split as a shell would")
    parser.add_argument("--wait", action="store_true",
                        help="keep this terminal for the guest; start gdb elsewhere as told")
    _add_machine_options(parser)
    parser.set_defaults(carry_out=debug.carry_out, timeout=None, extra_packages=DEBUG)


def _add_test(verbs: Any) -> None:
    parser = verbs.add_parser(
        "test", help="build everything and run the tests",
        description="Run the tests whose names match PATTERN, or all. Names start with their\n"
        "label: host, linux, guest, check, stress, run, serial, debug. docs/testing.md explains.")
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", help="a regular expression")
    parser.add_argument("--long", action="store_true", help="also the tests that take long")
    parser.add_argument("--seconds", metavar="N", type=_seconds, default=300,
                        help="how long each of the long stress tests goes on (300)")
    parser.set_defaults(carry_out=testing.carry_out)


BENCH_NOTE = """\
Both kernels run the same program in the same QEMU, which counts executed instructions: figures
repeat within a thousandth, however busy the machine is. docs/performance.md tells what they do
not count. Debian's kernel is fetched by apt into build/linux (about 27 MB) and not installed.
The table, and every sample, are kept in build/bench. The status is 0 whatever the figures are, 1
if a run failed.

rows:
"""


def _add_bench(verbs: Any) -> None:
    names = "".join(f"  {row.name:23} {row.text.strip()}\n" for row in bench_rows.ROWS)
    parser = verbs.add_parser(
        "bench", help="measure what system calls, faults and forks cost, here and on Linux",
        description="Measure stos and Debian's Linux kernel and print the table, with what stos\n"
        "is meant to reach.", epilog=BENCH_NOTE + names)
    parser.add_argument("--only", metavar="PATTERN",
                        help="the rows whose name or text this regular expression is found in")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--no-linux", action="store_true", help="measure stos alone")
    group.add_argument("--linux", metavar="FILE", type=_readable,
                       help="compare with this kernel image (bzImage), not with Debian's")
    parser.add_argument("--no-build", action="store_true", help="take what was built last")
    parser.set_defaults(carry_out=bench.carry_out)


def _add_small(verbs: Any) -> None:
    iso = verbs.add_parser("iso", help="build build/stos.iso",
                           description="Build the boot image and print its path.")
    _add_variant_options(iso)
    iso.set_defaults(carry_out=tidy.make_iso)
    clean = verbs.add_parser("clean", help="remove everything that was built",
                             description="Remove build/, except what a run at work uses.")
    clean.set_defaults(carry_out=tidy.clean)
    asked = verbs.add_parser("help", help="explain a verb")
    asked.add_argument("verb", metavar="VERB", nargs="?", choices=list(verbs.choices))
    asked.set_defaults(carry_out=lambda wanted: _help(verbs, wanted.verb))


def _help(verbs: Any, verb: str | None) -> Outcome:
    (verbs.choices[verb] if verb else _PARSER).print_help()
    return Outcome("exit", 0)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="stos", description="Build, run, test and debug the stos kernel.",
                     epilog="`stos VERB --help` explains each.")
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    _add_run(verbs)
    _add_test(verbs)
    _add_debug(verbs)
    _add_bench(verbs)
    _add_small(verbs)
    return parser


_PARSER = _parser()
_WITH_VALUE = ("--qemu", "--gdb", "--append", "--status-file", "--only")


def _joined(arguments: list[str]) -> list[str]:
    """`--qemu -s` as `--qemu=-s`: a value that starts with a dash is one all the same."""
    rest, joined = iter(arguments), []
    for argument in rest:
        value = next(rest, None) if argument in _WITH_VALUE else None
        joined.append(argument if value is None else f"{argument}={value}")
    return joined


def parse(arguments: list[str]) -> argparse.Namespace:
    """The namespace; its `carry_out` is the verb's function, `program` what follows `--`."""
    before, program = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        before, program = arguments[:at], arguments[at + 1 :]
    wanted = _PARSER.parse_args(_joined(before))
    takes_program = hasattr(wanted, "additions")
    if len(before) < len(arguments) and not (takes_program and program and program[0]):
        raise UsageError("a PROGRAM must follow --" if takes_program else "no -- is wanted here")
    wanted.program = [os.fsencode(argument) for argument in program]
    if takes_program and wanted.smp is None:
        wanted.smp = _default_processors(wanted.qemu)
    if takes_program and wanted.display.startswith(("gtk", "sdl")):
        wanted.extra_packages = [*wanted.extra_packages, *WINDOW]
    return wanted


def find_status_file(arguments: list[str]) -> str | None:
    """--status-file's value even if the rest of the command line cannot be understood."""
    found = None
    for i, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--status-file" and i + 1 < len(arguments):
            found = arguments[i + 1]
        elif argument.startswith("--status-file="):
            found = argument.partition("=")[2]
    return found
