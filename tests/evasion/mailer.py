"""A mail server that ends lines and mail at CRLF only, and remembers what it was told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

_VERBS = {b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP", b"QUIT"}


def digest(mail: bytes) -> str:
    """What two mails must have in common to be the same."""
    return sha256(mail).hexdigest()


@dataclass
class Mailer:
    """A server's mail program.

    Attributes:
        lines: the command lines that it read, without CRLF.
        verbs: the verbs in them, wherever a lenient reader would see one, in capitals.
        mails: digests of the mails that it took.
    """

    lines: list[bytes] = field(default_factory=list)
    verbs: list[bytes] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    _line: bytearray = field(default_factory=bytearray)
    _mail: bytearray | None = None
    _envelope: set[bytes] = field(default_factory=set)

    GREETING = b"220 mx.example ESMTP\r\n"

    @classmethod
    def verbs_in(cls, stream: bytes) -> set[bytes]:
        """The verbs that it sees in a whole stream."""
        mailer = cls()
        mailer.read(stream)
        return set(mailer.verbs)

    def read(self, data: bytes) -> bytes:
        """Read what came, and reply.

        Args:
            data: the next bytes of the stream.

        Returns:
            the replies.
        """
        replies = b""
        for byte in data:
            if self._mail is not None:
                self._mail.append(byte)
                if self._mail.endswith(b"\r\n.\r\n"):
                    self.mails.append(digest(bytes(self._mail[2:-3])))
                    self._mail = None
                    self._envelope.clear()
                    replies += b"250 queued\r\n"
                continue
            self._line.append(byte)
            if self._line.endswith(b"\r\n"):
                replies += self._obey(bytes(self._line[:-2]))
                self._line.clear()
        return replies

    def _obey(self, line: bytes) -> bytes:
        words = re.split(rb"[^A-Za-z0-9]+", line)
        verb = next((word for word in words if word), b"").upper()
        self.lines.append(line)
        self.verbs.append(verb)
        if verb == b"DATA":
            if self._envelope < {b"MAIL", b"RCPT"}:
                return b"503 MAIL and RCPT first\r\n"
            self._mail = bytearray(b"\r\n")
            return b"354 go\r\n"
        if verb == b"RSET":
            self._envelope.clear()
        self._envelope |= {verb} & {b"MAIL", b"RCPT"}
        return b"250 ok\r\n" if verb in _VERBS else b"500 what\r\n"
