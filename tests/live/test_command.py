"""Commands of the system."""

from __future__ import annotations

import os
import signal

import pytest

from appliance.errors import PixguardError
from appliance.live.command import run


def test_what_it_reads_and_prints() -> None:
    assert run(["cat"], "coreutils", "two\nlines\n") == "two\nlines\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-command"], "^no-such-command is not installed: install the package some$"),
        (["sh", "-c", "kill -KILL $$"], "failed: ended by signal 9$"),
        (["sh", "-c", "printf 'a\\033\\n b\\n' >&2; exit 3"], r"failed: a\\x1b; b$"),
    ],
)
def test_what_fails_is_told(command: list[str], said: str) -> None:
    with pytest.raises(PixguardError, match=said):
        run(command, "some")


def test_signals_meant_for_the_caller_do_not_end_the_command() -> None:
    """`timeout` and a terminal send them to the whole group; what puts things back ends in peace.

    The caller notes them when the command is done.
    """
    noted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: noted.append(number))
    try:
        said = run(["sh", "-c", f"kill -TERM $$ {os.getpid()}; echo alive"], "dash")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert said == "alive\n"
    assert noted == [signal.SIGTERM]
