"""What every message must keep to, whatever it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.errors import Finding

_SHOWABLE = re.compile(r"[\t\n -~]*")


def check_shown(text: str) -> None:
    """A text that goes to a terminal holds printable ASCII, tabs and line ends.

    Args:
        text: the text.
    """
    assert _SHOWABLE.fullmatch(text), ascii(text)


def check_findings(findings: Sequence[Finding], lines: Sequence[str]) -> None:
    """Findings can be shown, and are about a place that the file has.

    Args:
        findings: those of a file.
        lines: the file's.
    """
    for finding in findings:
        check_shown(str(finding))
        place = finding.place
        assert 1 <= place.line <= len(lines), finding
        # A word that is missing would stand behind a blank at the end of the line.
        assert 0 <= place.column <= len(lines[place.line - 1]) + 2, finding
