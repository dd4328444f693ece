"""Commands of the system."""

from __future__ import annotations

import pytest

from appliance.errors import PixguardError
from appliance.live.command import run


def test_ctrl_c_on_a_terminal_is_not_the_commands() -> None:
    """It goes to a process group, and what puts things back has to end in peace."""
    number, group = run(["sh", "-c", "echo $$; ps -o pgid= -p $$"], "procps").split()
    assert number == group


def test_what_it_reads_and_prints() -> None:
    assert run(["cat"], "coreutils", "two\nlines\n") == "two\nlines\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-command"], "^no-such-command is not installed: install the package some$"),
        (["sh", "-c", "printf 'a\\033\\n b\\n' >&2; exit 3"], r"failed: a\\x1b; b$"),
    ],
)
def test_what_fails_is_told(command: list[str], said: str) -> None:
    with pytest.raises(PixguardError, match=said):
        run(command, "some")
