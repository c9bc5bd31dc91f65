"""A person at the guest's console: `./stos run` on a pseudo terminal."""

import re
import signal
from collections.abc import Iterable
from pathlib import Path

import pexpect

STOS = Path(__file__).resolve().parents[2] / "stos"
PATIENCE = 120  # seconds; a loaded machine is slow, a hang is for ever
PROMPT = re.compile(r"stos:\S*[#$] (?:\x1b\[6n)?")
END = pexpect.EOF


class Session:
    """A failing expectation raises pexpect's exception, whose text ends with the console's last
    words; pytest prints it."""

    def __init__(self, options: Iterable[str], program: Iterable[str] = ()):
        arguments = ["run", "--no-build", *options]
        arguments += ["--", *program] if program else []
        self._child = pexpect.spawn(
            str(STOS), arguments, timeout=PATIENCE, dimensions=(24, 80), encoding="utf-8",
            codec_errors="replace", echo=False,
        )
        self._child.str_last_chars = 3000

    def await_prompt(self) -> str:
        """Everything up to the next prompt."""
        self._child.expect(PROMPT)
        return self._child.before.replace("\r", "")

    def type(self, text: str) -> None:
        self._child.send(text + "\r")

    def press(self, letter: str) -> None:
        """The key with Control."""
        self._child.sendcontrol(letter)

    def send(self, text: str) -> None:
        self._child.send(text)

    def expect(self, pattern: str) -> None:
        self._child.expect(pattern)

    def run(self, line: str) -> str:
        """Type a command; what it printed, without the echo of the line."""
        self.type(line)
        output = self.await_prompt()
        return output.partition("\n")[2]

    def status(self) -> int:
        """Wait for the end of `stos run`."""
        self._child.expect(END)
        self._child.close()
        return self._child.exitstatus

    def end(self) -> None:
        """However it stands. pexpect's own way gives a killed process a tenth of a second to go."""
        if not self._child.closed and self._child.isalive():
            self._child.kill(signal.SIGKILL)
            self._child.wait()
        self._child.close()
