"""The manual pages, made of the command line's own help.

`python -m appliance.manual DIRECTORY` writes pixguard.1, and one page for each command.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from appliance import __version__
from appliance.cli import main

FILES = (
    ("/etc/pixguard/pixguard.conf", "rule file of the service"),
    ("/etc/pixguard/box.yaml", "box file of the service"),
    ("/run/pixguard", "what must be put back after a crash, and the counters"),
    ("/var/log/pixguard", "where the service may write log files"),
)
SIGNALS = (
    ("SIGHUP", "read the rule file again, and open the log files again"),
    ("SIGUSR1", "hand over to the appliance that comes next, and end"),
    ("SIGUSR2", "open the log files again"),
    ("SIGTERM, SIGINT", "put everything back, and end"),
)
EXITS = {
    "check": (
        ("0", "nothing is wrong"),
        ("1", "something is, or a file cannot be read"),
    ),
    "diff": (("0", "no packet fares differently"), ("1", "one does, or a file has errors")),
    "replay": (
        ("0", "the captures were read, whatever was blocked"),
        ("1", "one could not be read whole"),
    ),
    "status": (
        ("0", "all is well"),
        ("1", "something is not, or it cannot be said"),
        ("2", "no appliance is running"),
    ),
}
EXIT = (("0", "it was done"), ("1", "it could not be done"), ("2", "the command line is wrong"))


def pages() -> dict[str, str]:
    """The pages by the names of their files."""
    found = {"pixguard.1": "\n".join(_overview()) + "\n"}
    for name, command in main.commands.items():
        found[f"pixguard-{name}.1"] = "\n".join(_page(name, command)) + "\n"
    return found


def _overview() -> Iterator[str]:
    yield from _head("pixguard", main.help or "")
    yield r".SH SYNOPSIS"
    yield r".B pixguard"
    yield r"\fICOMMAND\fP [\fIOPTION\fP...]"
    yield r".SH DESCRIPTION"
    yield from _paragraphs(
        "pixguard turns a Linux machine into a firewall that treats mail as a Cisco PIX or ASA "
        "does with Mailguard (fixup protocol smtp) or ESMTP inspection, by a rule file in the "
        "device's own language. What the rule file cannot say about the machine is in a box file."
    )
    yield r".SH COMMANDS"
    for name, command in sorted(main.commands.items()):
        yield r".TP"
        yield rf".BR pixguard\-{_text(name)} (1)"
        yield _text(_sentences(command.help)[0])
    yield from _table("SIGNALS", SIGNALS)
    yield from _table("FILES", FILES)
    others = ", ".join(rf"\fBpixguard\-{_text(name)}\fP(1)" for name in sorted(main.commands))
    yield r".SH SEE ALSO"
    yield f"{others}, \\fBiptables\\fP(8), \\fBsystemd.service\\fP(5)"


def _page(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    sentences = _sentences(command.help)
    yield from _head(f"pixguard-{name}", sentences[0])
    yield r".SH SYNOPSIS"
    yield rf".B pixguard {_text(name)}"
    yield " ".join(_text(piece) for piece in command.collect_usage_pieces(context))
    yield r".SH DESCRIPTION"
    yield from _paragraphs(*sentences)
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    yield from _table("OPTIONS", records)
    yield from _table("EXIT STATUS", EXITS.get(name, EXIT))
    if name == "run":
        yield from _table("SIGNALS", SIGNALS)
    yield r".SH SEE ALSO"
    yield r".BR pixguard (1)"


def _head(name: str, help: str) -> Iterator[str]:
    yield rf'.TH {_text(name.upper())} 1 "" "pixguard {__version__}" "User Commands"'
    yield r".SH NAME"
    yield rf"{_text(name)} \- {_text(_sentences(help)[0].rstrip('.'))}"


def _sentences(help: str | None) -> list[str]:
    """The paragraphs of a help text, each in one line."""
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", (help or "").strip())]


def _paragraphs(*texts: str) -> Iterator[str]:
    for text in texts:
        yield r".PP"
        yield _text(text)


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield rf".SH {title}"
    for term, meaning in rows:
        yield r".TP"
        yield rf"\fB{_text(term)}\fP"
        yield _text(meaning)


def _text(text: str) -> str:
    """A text in which roff finds no request and no escape."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga")
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)


def write(directory: Path) -> None:
    """Write the pages.

    Args:
        directory: an existing directory.
    """
    for name, text in pages().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
