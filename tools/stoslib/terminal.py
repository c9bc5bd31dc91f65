"""Which of our streams are terminals, and leaving the terminal as it was found."""

import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator


def usable(descriptor: int) -> bool:
    """A terminal that we may read from and set up: one that we are in the foreground of."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


def size(descriptor: int) -> tuple[int, int]:
    """Columns and rows; 80 by 24 where it does not say."""
    columns, rows = os.get_terminal_size(descriptor)
    return columns or 80, rows or 24


def leave_output_alone(descriptor: int) -> None:
    """QEMU's raw mode still turns LF into CR LF on output, which the guest's terminal has done."""
    if usable(descriptor):
        mode = termios.tcgetattr(descriptor)
        mode[1] &= ~termios.OPOST
        termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)


@contextlib.contextmanager
def restored(descriptors: list[int]) -> Iterator[None]:
    """QEMU sets the terminal raw and its descriptors non-blocking; undo it, however QEMU ended."""
    terminals = [each for each in descriptors if os.isatty(each)]
    modes = [(each, termios.tcgetattr(each)) for each in terminals if usable(each)]
    flags = [(each, fcntl.fcntl(each, fcntl.F_GETFL)) for each in terminals]
    try:
        yield
    finally:
        for each, value in flags:
            fcntl.fcntl(each, fcntl.F_SETFL, value)
        for each, mode in modes:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(each, termios.TCSADRAIN, mode)
