"""Where the appliance's messages go: a file, the console, syslog servers, and events as JSON."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from appliance.config.model import Logging
from appliance.errors import PixguardError, printable
from appliance.live.framing import Message, datagram, file_level, level


class LogFile:
    """A file that lines are appended to.

    Args:
        path: the file, None for standard error.
        key: the key of the box file that names it.

    Raises:
        PixguardError: it cannot be opened.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path = path
        self._key = key
        self._file: TextIO = sys.stderr
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, so that it can be rotated.

        Raises:
            PixguardError: it cannot be opened; lines then go where they went.
        """
        if self._path is None:
            return
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            file = os.fdopen(handle, "w", encoding="ascii")
        except OSError as error:
            raise PixguardError(
                f"{self._path}: cannot open the log: {error.strerror}; `{self._key}` in the box "
                "file names it"
            ) from error
        self.close()
        self._file = file

    def append(self, text: str) -> None:
        """Append whole lines.

        Args:
            text: the lines, in ASCII, with their newlines.
        """
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            pass  # a full disk or a closed terminal must not stop mail

    def close(self) -> None:
        """Close the file."""
        if self._file is not sys.stderr:
            self._file.close()


@dataclass(slots=True)
class Datagrams:
    """What became of the datagrams to syslog servers.

    Args:
        sent: given to the network.
        lost: that could not be.
    """

    sent: int = 0
    lost: int = 0


class Log:
    """Where messages and events go.

    Args:
        path: the file that log lines are appended to, None for standard error.
        json_path: the file that events are appended to, None for none.

    Raises:
        PixguardError: a file cannot be opened.
    """

    def __init__(self, path: Path | None, json_path: Path | None = None) -> None:
        self._lines = LogFile(path, "log")
        self._console = LogFile(None, "") if path else None
        self._events = LogFile(json_path, "json-log") if json_path else None
        self._logging = Logging(on=False, levels=())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.datagrams = Datagrams()

    def configure(self, logging: Logging) -> None:
        """From now on, do with messages as a rule file says.

        Args:
            logging: its logging commands.
        """
        self._logging = logging

    def reopen(self) -> None:
        """Open the files again, so that they can be rotated.

        Raises:
            PixguardError: one cannot be opened; lines then go where they went.
        """
        self._lines.reopen()
        if self._events:
            self._events.reopen()

    def write(self, text: str) -> None:
        """Write a line to the log file, stamped as the device does (`logging timestamp`).

        Args:
            text: the line, or several; what a terminal would act upon is escaped.
        """
        self._lines.append(_stamped(text))

    def take(self, text: str) -> None:
        """Give a line to the sinks that are to have it.

        Args:
            text: a message of the device, or what the appliance says of itself, which goes to the
                log file alone.
        """
        message = Message.parse(text)
        if message is None or message.severity <= file_level(self._logging):
            self.write(text)
        if message is None:
            return
        if self._console and message.severity <= level(self._logging, "console"):
            self._console.append(_stamped(text))
        if message.severity <= level(self._logging, "trap"):
            self._send(message)

    def record(self, fields: Mapping[str, str | int | float]) -> None:
        """Write an event as a JSON object, one line in printable ASCII.

        Args:
            fields: the object's keys and values.
        """
        if self._events:
            # DEL is the one control character that JSON leaves as it is.
            self._events.append(json.dumps(fields).replace("\x7f", "\\u007f") + "\n")

    def close(self) -> None:
        """Close all sinks."""
        self._lines.close()
        if self._events:
            self._events.close()
        self._socket.close()

    def _send(self, message: Message) -> None:
        now = datetime.now().astimezone()
        for host in self._logging.hosts:
            data = datagram(message, self._logging, host, now)
            try:
                # A full buffer is an error here, too: what waits for syslog must not hold up mail.
                self._socket.sendto(data, (str(host.address), host.port))
                self.datagrams.sent += 1
            except OSError:
                self.datagrams.lost += 1


def _stamped(text: str) -> str:
    stamp = time.strftime("%b %d %Y %H:%M:%S")
    return "".join(f"{stamp}: {printable(line)}\n" for line in text.split("\n"))
