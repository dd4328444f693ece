"""A mail server that takes lines of any length and any bytes, and writes down what came.

    python mail_sink.py ADDRESS PORT FILE

FILE gets a JSON object a line: for a mail its Message-ID and the SHA-256 of its content, for a
command that the server does not know the command. Mail to `slow@` anybody is read slowly at first,
and with next to no room to receive it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
from asyncio import StreamReader, StreamWriter
from hashlib import sha256
from pathlib import Path

KNOWN = (b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP")

SLOW_READS = 8
SLOW_BYTES = 100
"""A slow reader's: so many times so many bytes, a second apart."""

SLOW_BUFFER = 4096
"""Bytes of its receive buffer."""


class Sink:
    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)

    def note(self, **what: str) -> None:
        self._file.write(json.dumps(what) + "\n")

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a client that has gone has said all that it had to say
        finally:
            writer.close()

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 mail.acme.com ESMTP\r\n")
        slow = False
        while True:
            line = await reader.readuntil(b"\r\n")
            verb = line[:4].upper()
            if verb == b"QUIT":
                writer.write(b"221 Bye\r\n")
                return
            if verb == b"DATA":
                writer.write(b"354 Go on\r\n")
                await self._take_mail(reader, slow)
                writer.write(b"250 Mail accepted\r\n")
            elif verb == b"EHLO":
                writer.write(b"250-mail.acme.com\r\n250-CHUNKING\r\n250 8BITMIME\r\n")
            elif verb in KNOWN:
                if line.upper().startswith(b"RCPT TO:<SLOW@"):
                    slow = True
                    connection = writer.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
                writer.write(b"250 OK\r\n")
            else:
                self.note(unknown=line.decode("latin-1"))
                writer.write(b"500 Unknown\r\n")

    async def _take_mail(self, reader: StreamReader, slow: bool) -> None:
        content = bytearray(b"\r\n")
        for _ in range(SLOW_READS if slow else 0):
            content += await reader.read(SLOW_BYTES)
            await asyncio.sleep(1)
        while not content.endswith(b"\r\n.\r\n"):  # the client waits for the reply
            chunk = await reader.read(1 << 16)
            if not chunk:
                raise ConnectionError
            content += chunk
        mail = bytes(content[:-3]).replace(b"\r\n.", b"\r\n").removeprefix(b"\r\n")
        identity = mail.split(b"\r\n", 1)[0].removeprefix(b"Message-ID: ")
        self.note(mail=identity.decode("latin-1"), digest=sha256(mail).hexdigest())


async def main(address: str, port: str, file: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listener = socket.create_server((address, int(port)), backlog=4096)
    sink = Sink(Path(file))
    server = await asyncio.start_server(sink.serve, sock=listener, limit=4096, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
