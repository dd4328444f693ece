"""The scripted sessions: what the lab shows when no command is given, and whether it is right."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from rich.console import Console
from rich.text import Text

from appliance.admission import Opening
from appliance.config.load import load_configuration
from appliance.errors import printable
from appliance.events import Direction
from appliance.lab.lab import Lab
from appliance.lab.sessions import (
    DENIED_PATIENCE,
    FORBIDDEN,
    INWARD,
    OUTWARD,
    Outcome,
    converse,
    knock,
)
from appliance.lab.topology import CLIENT, SERVER, SERVER_MAPPED
from appliance.lab.view import Exchange, Row, escaped, exchanges, show_exchange
from appliance.policy.judgement import policy_of
from appliance.protocol import TCP

DENIED_PORT = 80


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that should be so.

    Args:
        statement: what.
        holds: whether it is.
    """

    statement: str
    holds: bool


class Demonstration:
    """Plays the sessions in a lab and judges them by what the rule file says.

    Args:
        lab: the lab, standing.
        rules: its rule file.
        console: where to show them.
    """

    def __init__(self, lab: Lab, rules: Path, console: Console) -> None:
        self._lab = lab
        self._console = console
        configuration = load_configuration(rules)
        self._policy = policy_of(configuration, lab.box.inspect_as(configuration.version))
        self._checks: list[Check] = []

    def play(self) -> None:
        """Hold the sessions and show them."""
        lab = self._lab
        inward = converse(lab.client, SERVER_MAPPED, INWARD.session)
        forbidden = converse(lab.client, SERVER_MAPPED, FORBIDDEN)
        denied = knock(lab.client, SERVER_MAPPED, DENIED_PORT)
        outward = converse(lab.server, CLIENT, OUTWARD.session)
        client, server = lab.client_tap.settle(), lab.server_tap.settle()
        mail, commands = _opened_by(CLIENT, exchanges(client, server), 2)
        (back,) = _opened_by(SERVER, exchanges(server, client), 1)

        permitted, inspected = self._expected("outside", CLIENT, SERVER_MAPPED, 25)
        self._show("A mail from outside", mail, inward)
        self._judge_mail("the mail from outside", mail, inward, permitted, inspected)
        self._show("Commands outside the seven", commands, forbidden)
        if permitted:
            self._judge_commands(commands, forbidden, inspected)
        self._console.print(Text("A port that the rules say nothing of", style="bold"))
        self._console.print(
            f"TCP from {CLIENT} to {SERVER_MAPPED} port {DENIED_PORT}: {denied}"
            + (
                f" after {DENIED_PATIENCE:.0f} s, as a PIX drops without a word"
                if denied == "timed out"
                else ""
            )
            + "\n"
        )
        port_permitted, _ = self._expected("outside", CLIENT, SERVER_MAPPED, DENIED_PORT)
        self._check(
            f"port {DENIED_PORT} is {'let through' if port_permitted else 'denied without a word'}",
            (denied != "timed out") is port_permitted,
        )
        permitted, inspected = self._expected("inside", SERVER, CLIENT, 25)
        self._show("A mail from inside", back, outward)
        self._judge_mail("the mail from inside", back, outward, permitted, inspected)
        self._show_delivered("The mail from outside, as delivered", lab.server_spool)
        self._show_delivered("The mail from inside, as delivered", lab.client_spool)
        self._judge_delivery(inward, outward)

    def judge(self) -> bool:
        """Show whether everything went as it should, and return it."""
        self._console.print(Text("As it should be?", style="bold"))
        for check in self._checks:
            self._console.print(
                Text("yes  " if check.holds else "NO   ", "green" if check.holds else "bold red")
                + check.statement
            )
        return all(check.holds for check in self._checks)

    def _check(self, statement: str, holds: bool) -> None:
        self._checks.append(Check(statement, holds))

    def _expected(
        self, ingress: str, source: str, destination: str, port: int
    ) -> tuple[bool, bool]:
        """Whether the rule file permits a connection, and whether it has it inspected."""
        admission = self._policy.admit(
            Opening(
                protocol=TCP,
                source=IPv4Address(source),
                source_port=40000,
                destination=IPv4Address(destination),
                destination_port=port,
                ingress=ingress,
            )
        )
        return admission.denial is None, admission.inspection is not None

    def _show(self, title: str, exchange: Exchange | None, outcome: Outcome) -> None:
        if exchange and exchange.rows():
            show_exchange(self._console, title, exchange)
        else:
            self._console.print(Text(title, style="bold"))
        if outcome.failure:
            self._console.print(f"The client gave up: {printable(outcome.failure)}\n")

    def _judge_mail(
        self,
        what: str,
        exchange: Exchange | None,
        outcome: Outcome,
        permitted: bool,
        inspected: bool,
    ) -> None:
        if not permitted:
            self._check(f"{what} is not let through", bool(outcome.failure))
            return
        self._check(f"{what} is let through", not outcome.failure)
        rows = exchange.rows() if exchange else ()
        greeting = rows[0].edited if rows else None
        if inspected:
            self._check(f"{what} meets a masked greeting", greeting is True)
        else:
            self._check(f"{what} meets the greeting as the server sent it", greeting is False)

    def _judge_commands(self, exchange: Exchange | None, outcome: Outcome, inspected: bool) -> None:
        rows = exchange.rows() if exchange else ()
        said = [row for row in rows if row.direction is Direction.TO_SERVER][:-1]
        words = ", ".join(line.split()[0] for line in FORBIDDEN[:-1])
        if inspected:
            masked = len(said) == len(FORBIDDEN) - 1 and all(map(_is_masked, said))
            self._check(f"{words} reach the server as X", masked)
            refused = [code for code in outcome.codes[1:-1] if code.startswith("5")]
            self._check("the server refuses each of them", len(refused) == len(FORBIDDEN) - 1)
        else:
            whole = bool(said) and not any(row.edited for row in said)
            self._check(f"{words} reach the server as they were sent", whole)

    def _judge_delivery(self, inward: Outcome, outward: Outcome) -> None:
        lab = self._lab
        mails = [("inside", inward, INWARD, lab.server_spool)] if lab.own_server else []
        mails.append(("outside", outward, OUTWARD, lab.client_spool))
        for side, outcome, mail, spool in mails:
            if not outcome.failure:
                content = b"".join(map(Path.read_bytes, _mails(spool)))
                self._check(
                    f"the {side} server has its mail, byte for byte",
                    content.endswith(mail.content.encode()),
                )

    def _show_delivered(self, title: str, spool: Path) -> None:
        for mail in _mails(spool):
            self._console.print(Text(title, style="bold"))
            for line in mail.read_bytes().splitlines():
                self._console.print(Text("  ") + escaped(line), soft_wrap=True)
            self._console.print()


def _opened_by(
    client: str, found: tuple[Exchange, ...], number: int
) -> tuple[Exchange | None, ...]:
    """The first connections that an address opened; None for those that it did not."""
    own = [each for each in found if str(each.client.client.address) == client]
    return tuple(own[:number]) + (None,) * (number - len(own))


def _is_masked(row: Row) -> bool:
    verb = (row.sent or b"").split()[0]
    return row.received == b"X" * len(verb) + (row.sent or b"")[len(verb) :]


def _mails(spool: Path) -> list[Path]:
    return sorted(spool.glob("*.eml"))
