"""What all pytest suites share: the harness on the path, and the sessions' fixtures."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "harness"), str(ROOT / "tools")]

from session import Session  # noqa: E402  (found by the line above)


@pytest.fixture
def boot():
    """boot(*OPTIONS) starts the shell on a terminal of its own; all are ended afterwards."""
    sessions = []

    def start(*options: str) -> Session:
        sessions.append(Session(options))
        return sessions[-1]

    yield start
    for session in sessions:
        session.end()


@pytest.fixture(scope="module")
def shell():
    """One shell, booted from the ISO, that the tests of a file share."""
    session = Session(())
    session.await_prompt()
    yield session
    session.end()
