#!/usr/bin/python3
"""The stos command: reads the command line and hands it to the verb's module.

Exit statuses and causes are in stoslib/outcome.py, options in stoslib/options.py.
"""

import signal
import sys
import traceback

from stoslib import interrupt, options, outcome
from stoslib.layout import keep_standard_streams


def carry_out(arguments: list[str]) -> outcome.Outcome:
    try:
        wanted = options.parse(arguments)
        if getattr(wanted, "status_file", None):
            outcome.clear_status_file(wanted.status_file)
        return wanted.carry_out(wanted)
    except outcome.Failure as failure:
        return failure.outcome
    except interrupt.Interrupted as interrupted:
        return outcome.interrupted(interrupted.number)
    except Exception as error:
        traceback.print_exc()
        return outcome.Outcome("stos", 125, f"{type(error).__name__}: {error}")


def main() -> int:
    keep_standard_streams()
    interrupt.watch(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    arguments = sys.argv[1:]
    result = carry_out(arguments)
    if result.detail:
        print(f"stos: {result.detail}", file=sys.stderr)
    status_file = options.find_status_file(arguments)
    if status_file:
        result = outcome.write_status_file(status_file, result)
    return result.status


if __name__ == "__main__":
    sys.exit(main())
