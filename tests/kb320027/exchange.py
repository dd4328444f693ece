"""A mail server with what the article's Exchange had: AUTH, no open relay, X-LINK2STATE, X-EXPS.

python exchange.py ADDRESS SPOOL [two-line-greeting]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import AnyStr

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from appliance.lab.lab import HOST, IDENT
from appliance.lab.mail_server import Spool

DOMAIN = "acme.com"
USER, PASSWORD = "bob", "secret"
RELAYING_DENIED = "550 5.7.1 relaying denied from local server"
EXTENSIONS = {
    "X-LINK2STATE": ("X-LINK2STATE", "200 link state taken"),
    "X-EXPS": ("X-EXPS GSSAPI NTLM LOGIN", "334 GSSAPI supported"),
}
"""Exchange's own verbs: what the reply to EHLO says of each, and the reply to it."""

TWO_LINE_GREETING = "two-line-greeting"


class Mailboxes(Spool):
    """Takes mail for its own domain from all, and for other domains from who has authenticated."""

    async def handle_EHLO(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{said}" for said, _ in EXTENSIONS.values()), responses[-1]]

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        if not session.authenticated and address.rpartition("@")[2] != DOMAIN:
            return RELAYING_DENIED
        envelope.rcpt_tos.append(address)
        return "250 OK"


class TwoLineGreeting(SMTP):
    """The server's side of a session that begins with a greeting of two lines."""

    async def push(self, status: AnyStr) -> None:
        said = status if isinstance(status, str) else status.decode("latin-1")
        if said.startswith("220 "):
            await super().push(f"220-{self.hostname} welcomes you")
        await super().push(said)


def authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
) -> AuthResult:
    """Whether a user has given the right password."""
    right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


def answer(reply: str) -> Callable[[SMTP, str | None], Awaitable[None]]:
    """What serves a verb by one reply."""

    async def serve_verb(server: SMTP, _argument: str | None) -> None:
        await server.push(reply)

    return serve_verb


async def serve(address: str, spool: Path, session: type[SMTP]) -> None:
    """Serve port 25 until killed."""
    mailboxes = Mailboxes(spool)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: session(
            mailboxes,
            hostname=HOST,
            ident=IDENT,
            auth_require_tls=False,
            authenticator=authenticate,
            loop=loop,
        ),
        address,
        25,
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    for verb, (_, its_reply) in EXTENSIONS.items():
        setattr(SMTP, f"smtp_{verb}", answer(its_reply))  # where aiosmtpd looks for verbs
    chosen = TwoLineGreeting if TWO_LINE_GREETING in sys.argv[3:] else SMTP
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), chosen))
