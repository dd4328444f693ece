"""A message of the device: which sinks take it, and how a syslog server gets it.

Forms of a datagram: docs/evidence.md, after lines that people published.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from appliance.config.model import Logging, LogHost
from appliance.errors import printable

_SHAPE = re.compile(r"%(PIX|ASA)-([0-7])-([1-9][0-9]{5}): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """A message, in its parts.

    Args:
        product: "PIX" or "ASA".
        severity: 0, the gravest, to 7.
        number: which message it is, six digits.
        body: what comes after the colon.
    """

    product: str
    severity: int
    number: int
    body: str

    @classmethod
    def parse(cls, text: str) -> Message | None:
        """Take `%PIX-6-302013: ...` apart; None if it is no message of a device.

        Args:
            text: the whole line, without time or newline.
        """
        found = _SHAPE.fullmatch(text)
        return cls(found[1], int(found[2]), int(found[3]), found[4]) if found else None

    def __str__(self) -> str:
        return f"%{self.product}-{self.severity}-{self.number}: {self.body}"

    def under(self, logging: Logging) -> Message:
        """The message with the severity that `logging message NUMBER level LEVEL` gives it.

        Args:
            logging: the rule file's logging commands.
        """
        return replace(self, severity=dict(logging.severities).get(self.number, self.severity))


def file_level(logging: Logging) -> int:
    """The most verbose severity that any of the rule file's log destinations takes.

    The log file stands for all of them.

    Args:
        logging: the rule file's logging commands.

    Returns:
        0 to 7; -1 if nothing is to be logged.
    """
    return max((level for _, level in logging.levels), default=-1) if logging.on else -1


def level(logging: Logging, destination: str) -> int:
    """The most verbose severity that a destination of the rule file takes.

    Args:
        logging: the rule file's logging commands.
        destination: its keyword: trap, console, ...

    Returns:
        0 to 7; -1 if it takes nothing.
    """
    return dict(logging.levels).get(destination, -1) if logging.on else -1


def is_logged(message: Message, logging: Logging) -> bool:
    """Whether any sink takes a message.

    Args:
        message: the message, under these logging commands.
        logging: the rule file's logging commands.
    """
    return message.severity <= file_level(logging) and message.number not in logging.disabled


def datagram(message: Message, logging: Logging, host: LogHost, now: datetime) -> bytes:
    """What a syslog server gets: one message, without a newline.

    EMBLEM has the time in UTC without the year, and no device ID (releases from 6.3 on).

    Args:
        message: the message.
        logging: the rule file's logging commands.
        host: the server.
        now: the time, with its time zone.
    """
    priority = logging.facility * 8 + message.severity
    if host.emblem:
        lead = f":{now.astimezone(UTC):%b %d %H:%M:%S} UTC: " if logging.timestamp else ":"
    else:
        stamp = f"{now:%b %d %Y %H:%M:%S}" if logging.timestamp else ""
        name = f"{logging.device_id} " if logging.device_id else ""
        # With a name, a blank stands before the colon.
        lead = " ".join(filter(None, (stamp, name)))
        lead = f"{lead}: " if lead else ""
    return f"<{priority}>{lead}{printable(str(message))}".encode("ascii")
