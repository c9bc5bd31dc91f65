"""Calling `./stos run` from tests of its contract."""

import json
import subprocess
from pathlib import Path

STOS = Path(__file__).resolve().parents[2] / "stos"
PATIENCE = 240  # seconds; for hangs only


def arguments(*options: object, program: list[str | bytes] | None = None) -> list:
    """A `stos run` of what was built last, by the quick way unless told otherwise."""
    given = [str(option) for option in options]
    boot = [] if "--iso" in given else ["--quick"]
    given = [option for option in given if option != "--iso"]
    return [STOS, "run", "--no-build", *boot, *given, *(["--", *program] if program else [])]


def run(*options: object, program: list[str | bytes] | None = None, **settings):
    """Run it to its end; the completed process with its streams as bytes."""
    settings.setdefault("stdin", subprocess.DEVNULL if "input" not in settings else None)
    if settings["stdin"] is None:
        del settings["stdin"]
    settings.setdefault("stdout", subprocess.PIPE)
    settings.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(arguments(*options, program=program), timeout=PATIENCE, **settings)


def shell(script: str, *options: object, **settings):
    return run(*options, program=["sh", "-c", script], **settings)


def cause(path: Path) -> str:
    return json.loads(path.read_text())["cause"]
