"""systemd's journal, spoken to in its own way, so that lines come with fields.

Form of a datagram: systemd's "Native Journal Protocol"; JOURNAL_STREAM: systemd.exec(5).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

SOCKET = Path("/run/systemd/journal/socket")
IDENTIFIER = "pixguard"
NOTICE = 5
"""Priority of what the appliance says of itself (syslog(3))."""

_STDERR = 2


class Journal:
    """The journal.

    Args:
        path: the socket that it listens to.

    Raises:
        OSError: nobody listens to it.
    """

    def __init__(self, path: Path = SOCKET) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send an entry; it is lost if the journal does not take it at once.

        Args:
            fields: its fields; names are upper-case letters, digits and `_`.

        Returns:
            whether it was taken.
        """
        entry = {"SYSLOG_IDENTIFIER": IDENTIFIER, **fields}
        try:
            self._socket.send(b"".join(_field(*each) for each in entry.items()))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def journal_behind_stderr() -> Journal | None:
    """The journal, if standard error leads to it; None if it does not."""
    try:
        state = os.fstat(_STDERR)
        if os.environ.get("JOURNAL_STREAM") == f"{state.st_dev}:{state.st_ino}":
            return Journal()
    except OSError:
        pass
    return None


def _field(name: str, value: str) -> bytes:
    data = value.encode()
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)
