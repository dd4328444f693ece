"""The lab's own mail server: takes any mail and puts it into a directory."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Spool:
    """Delivers each mail into a file of its own, numbered from 1.

    Args:
        directory: where.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Deliver a mail, its envelope in front; aiosmtpd calls this."""
        self._number += 1
        lines = [f"Return-Path: <{envelope.mail_from}>"]
        lines += [f"Delivered-To: <{recipient}>" for recipient in envelope.rcpt_tos]
        head = "".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace")
        unfinished = self._directory / f".{self._number}"
        unfinished.write_bytes(head + (envelope.original_content or b""))
        unfinished.rename(self._directory / f"{self._number}.eml")
        return f"250 Mail {self._number} accepted"


async def serve(address: str, port: int, host: str, ident: str, spool: Path) -> None:
    """Serve until killed.

    Args:
        address: the address to listen on.
        port: the port.
        host: what the server calls itself.
        ident: what its greeting says after that.
        spool: directory for delivered mail.
    """
    loop = asyncio.get_running_loop()
    handler = Spool(spool)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname=host, ident=ident, loop=loop), address, port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], Path(sys.argv[5])))
