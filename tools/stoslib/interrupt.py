"""SIGINT, SIGTERM and SIGHUP as one exception, raised once, so that clean-up is not cut short."""

import signal


class Interrupted(BaseException):
    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def watch(*signals: int) -> None:
    """Raise Interrupted in the main thread when the first of these signals arrives."""

    def handle(number: int, _frame: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in signals:
        signal.signal(each, handle)
