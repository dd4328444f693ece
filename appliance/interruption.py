"""Being told to stop, once: what is cleaned up then is cleaned up in peace."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(SystemExit):
    """One of SIGNALS has come; uncaught, it ends the program as `Ending.exit_code` says."""


class Ending:
    """Whether the program has been told to end."""

    def __init__(self) -> None:
        self._number = 0

    def __bool__(self) -> bool:
        return self._number > 0

    @property
    def exit_code(self) -> int:
        """What a shell reports of a program that the signal ended."""
        return 128 + self._number

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        """Take the first signal, and take no notice of later ones.

        Args:
            number: the signal.

        Raises:
            Interruption: at the first one, wherever the program is. An exception in the midst of
                other people's code may come out as another one, so ask this object what happened.
        """
        # Not SIG_IGN for the later ones: Python complains of one that has come already.
        if not self._number:
            self._number = number
            raise Interruption(self.exit_code)


@contextmanager
def interruptible() -> Iterator[Ending]:
    """Turn the first of SIGNALS into an Interruption; nohup(1) keeps its meaning."""
    ending = Ending()
    before = {
        each: signal.signal(each, ending.interrupt)
        for each in SIGNALS
        if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN
    }
    try:
        yield ending
    finally:
        if not ending:  # else the program is about to end, and no signal shall change how
            for each, handler in before.items():
                signal.signal(each, handler)


@contextmanager
def left_to_the_foreground() -> Iterator[None]:
    """Leave Ctrl-C to the program that runs in the foreground of this terminal (system(3))."""
    # Not SIG_IGN, which the program would inherit.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
