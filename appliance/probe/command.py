"""`pixguard probe`: the conversation, what it tells, and the conclusion, printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click

from appliance.errors import printable
from appliance.probe.conversation import talk
from appliance.probe.diagnosis import Diagnosis, diagnose
from appliance.probe.reply import Reply, Session

SMTP_PORT = 25

_TARGET = re.compile(r"(?:\[(?P<six>[\w:.%]+)\]|(?P<host>[^\s:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")


def read_target(text: str) -> tuple[str, int]:
    """The host and the port of HOST[:PORT], an IPv6 address in brackets.

    Args:
        text: as the user gave it.

    Raises:
        click.BadParameter: it is none; exit code 2.
    """
    found = _TARGET.fullmatch(text)
    port = int(found["port"] or SMTP_PORT) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise click.BadParameter(
            f"'{printable(text)}' is not HOST or HOST:PORT with a port from 1 to 65535 "
            "(an IPv6 address stands in brackets: [::1]:25)",
            param_hint="HOST[:PORT]",
        )
    return found["six"] or found["host"], port


def probe_server(host: str, port: int, patience: float, as_json: bool) -> None:
    """Talk to a server and print what that tells about the path.

    Args:
        host: its name or address.
        port: its port.
        patience: seconds to wait for the connection and for each reply.
        as_json: whether to print one JSON object instead of text.

    Raises:
        PixguardError: there is no connection, or what is at its other end is no SMTP server.
    """
    session = talk(host, port, patience)
    diagnosis = diagnose(session)
    if as_json:
        click.echo(json.dumps(_as_object(host, port, session, diagnosis)))
        return
    for line in _as_text(session, diagnosis):
        click.echo(line)


def _as_text(session: Session, diagnosis: Diagnosis) -> Iterator[str]:
    yield from _reply_lines(session.greeting)
    for exchange in session.exchanges:
        yield f"C: {_shown(exchange.sent)}"
        if exchange.reply is None:
            yield "   (no reply)"
            continue
        yield from _reply_lines(exchange.reply)
        if exchange.closed:
            yield "   (and nothing more)"
    yield ""
    for observation in diagnosis.observations:
        yield f"* {observation.text}"
    yield ""
    yield diagnosis.conclusion


def _reply_lines(reply: Reply) -> Iterator[str]:
    return (f"S: {_shown(line)}" for line in reply.lines)


def _shown(line: bytes) -> str:
    return printable(line.decode("latin-1"))


def _as_object(host: str, port: int, session: Session, diagnosis: Diagnosis) -> dict[str, object]:
    names = dict.fromkeys(name for each in diagnosis.candidates for name in each.names)
    return {
        "host": host,
        "port": port,
        "verdict": diagnosis.verdict.value,
        "releases": list(names),
        "conclusion": diagnosis.conclusion,
        "observations": [observation.text for observation in diagnosis.observations],
        "greeting": _latin_1(session.greeting),
        "dialogue": [
            {
                "sent": exchange.sent.decode("latin-1"),
                "reply": None if exchange.reply is None else _latin_1(exchange.reply),
                "closed": exchange.closed,
            }
            for exchange in session.exchanges
        ],
    }


def _latin_1(reply: Reply) -> list[str]:
    """Lines with bytes as code points 0 to 255."""
    return [line.decode("latin-1") for line in reply.lines]
