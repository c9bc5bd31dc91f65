"""How a run ended: the exit status, and the cause that the status alone cannot tell.

    cause            status  meaning
    exit             N       the program exited with N
    signal           128+N   the program was killed by signal N
    not-executable   126     the program could not be started
    not-found        127     there is no such program
    timeout          124     --timeout passed
    interrupted      128+N   stos itself was sent signal N (SIGINT 130, SIGTERM 143)
    left             0, 125  QEMU was left with Ctrl-A X (125 if a program was running)
    usage            2       the command line is wrong; nothing was built
    packages         125     packages are missing and could not be installed
    build            125     the build failed
    qemu             125     QEMU failed or was ended by somebody else
    kernel           125     panic, triple fault, or no status received
    add              125     an --add does not fit the guest's files
    get              125     the program succeeded, but a --get failed
    output           125     our own standard output or error could not be written
    stos             125     a mistake in stos itself
    tests            1       tests failed
    bench            1       a measured kernel did not come to the end
"""

import errno
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    cause: str
    status: int
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Failure(Exception):
    """Something ended the command early; carries the outcome to report."""

    def __init__(self, cause: str, detail: str, status: int = 125):
        super().__init__(detail)
        self.outcome = Outcome(cause, status, detail)


class UsageError(Failure):
    def __init__(self, detail: str):
        super().__init__("usage", detail, 2)


def interrupted(number: int) -> Outcome:
    return Outcome("interrupted", 128 + number, facts={"signal": number})


def from_guest(line: str) -> Outcome:
    """Read init's status line: `exit N`, `signal N` or `exec ERRNO`."""
    word, _, value = line.partition(" ")
    number = int(value)
    if word == "exit":
        return Outcome("exit", number)
    if word == "signal":
        return Outcome("signal", 128 + number, facts={"signal": number})
    if word == "exec" and number == errno.ENOENT:
        return Outcome("not-found", 127, facts={"errno": number})
    if word == "exec":
        return Outcome("not-executable", 126, facts={"errno": number})
    raise ValueError(f"unknown status line {line!r}")


def clear_status_file(path: str) -> None:
    """Make the file empty: no status of an earlier run may be taken for this one's."""
    try:
        with open(path, "w"):
            pass
    except OSError as error:
        raise UsageError(f"--status-file {path}: {error.strerror}") from error


def write_status_file(path: str, result: Outcome) -> Outcome:
    record = {"cause": result.cause, "status": result.status, **result.facts}
    if result.detail:
        record["detail"] = result.detail
    try:
        with open(path, "w") as file:
            file.write(json.dumps(record) + "\n")
    except OSError:
        return result if result.status else Outcome("output", 125)
    return result
