"""What stos itself says: always on standard error, never on the program's standard output."""

import sys
from pathlib import Path


def say(text: str) -> None:
    print(f"stos: {text}", file=sys.stderr, flush=True)


def say_to_person(text: str) -> None:
    """Progress that only someone who watches wants; scripts get the program's stderr alone."""
    if sys.stderr.isatty():
        say(text)


def tail(path: Path, lines: int) -> str:
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.replace("\r", "").splitlines()[-lines:])


def show_tail(path: Path, lines: int) -> None:
    text = tail(path, lines)
    if text:
        say(f"the end of {path}:")
        print(text, file=sys.stderr, flush=True)
