"""Where the appliance's messages go: a file or the journal, the console, syslog servers, JSON."""

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

from appliance.config.model import Logging, LogHost
from appliance.errors import PixguardError, printable
from appliance.live.framing import Message, datagram, file_level, level
from appliance.live.journal import NOTICE, journal_behind_stderr
from appliance.live.syslog_stream import SyslogStream


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
    """What became of the messages to syslog servers.

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
        self._journal = None if path else journal_behind_stderr()
        self._console = LogFile(None, "") if path else None
        self._events = LogFile(json_path, "json-log") if json_path else None
        self._logging = Logging(on=False, levels=())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._streams: dict[LogHost, SyslogStream] = {}
        self.datagrams = Datagrams()

    def configure(self, logging: Logging) -> None:
        """From now on, do with messages as a rule file says.

        Args:
            logging: its logging commands.
        """
        self._logging = logging
        wanted = {host for host in logging.hosts if host.tcp and level(logging, "trap") >= 0}
        for host in self._streams.keys() - wanted:
            self._streams.pop(host).close()
        for host in wanted - self._streams.keys():
            self._streams[host] = SyslogStream(host)
        self.turn()

    def turn(self) -> None:
        """Look after connections to syslog servers; to be called often."""
        now = time.monotonic()
        for stream in self._streams.values():
            stream.turn(now)

    @property
    def away(self) -> tuple[str, ...]:
        """The servers that are to be reached by TCP and are not there, "10.1.1.9:1470"."""
        return tuple(
            f"{host.address}:{host.port}"
            for host, stream in self._streams.items()
            if not stream.is_up
        )

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
        self._write(text, None)

    def _write(self, text: str, message: Message | None) -> None:
        if not self._journal or not self._journal.send(_entry(text, message)):
            self._lines.append(_stamped(text))

    def take(self, text: str) -> None:
        """Give a line to the sinks that are to have it.

        Args:
            text: a message of the device, or what the appliance says of itself, which goes to the
                log file alone.
        """
        message = Message.parse(text)
        if message is None or message.severity <= file_level(self._logging):
            self._write(text, message)
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
        if self._journal:
            self._journal.close()
        for stream in self._streams.values():
            stream.close()

    def _send(self, message: Message) -> None:
        now = datetime.now().astimezone()
        for host in self._logging.hosts:
            data = datagram(message, self._logging, host, now)
            send = self._stream if host.tcp else self._cast
            if send(data, host):
                self.datagrams.sent += 1
            else:
                self.datagrams.lost += 1

    def _stream(self, data: bytes, host: LogHost) -> bool:
        return self._streams[host].send(data, time.monotonic())

    def _cast(self, data: bytes, host: LogHost) -> bool:
        try:
            # A full buffer is an error here, too: what waits for syslog must not hold up mail.
            self._socket.sendto(data, (str(host.address), host.port))
        except OSError:
            return False
        return True


def _entry(text: str, message: Message | None) -> dict[str, str]:
    """The fields of a line in the journal, which knows the time."""
    escaped = "\n".join(map(printable, text.split("\n")))
    if message is None:
        return {"MESSAGE": escaped, "PRIORITY": str(NOTICE)}
    return {
        "MESSAGE": escaped,
        "PRIORITY": str(message.severity),
        "PIXGUARD_MESSAGE_ID": str(message.number),
        "PIXGUARD_PRODUCT": message.product,
    }


def _stamped(text: str) -> str:
    stamp = time.strftime("%b %d %Y %H:%M:%S")
    return "".join(f"{stamp}: {printable(line)}\n" for line in text.split("\n"))
