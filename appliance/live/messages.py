"""What the supervisor and its workers say to each other: JSON, one message a line, checked.

Nothing that comes from a worker is trusted to be well formed, since a worker reads what strangers
send.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from appliance.box import Box
from appliance.config.model import Configuration
from appliance.errors import PixguardError
from appliance.live.counters import Counters, Usage
from appliance.live.record import Record

MAX_MESSAGE = 64 << 20
"""Bytes; a configuration with 100,000 access list lines is half of it."""

MAX_WAITING = 1 << 20
"""Bytes that may wait to be sent before further messages are refused."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Configure:
    """To a worker: from now on, new connections are treated as this says.

    Args:
        box: the machine.
        configuration: the rule file.
        queue: number of the worker's queue.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    box: Box
    configuration: Configuration
    queue: int
    kind: Literal["configure"] = "configure"


@dataclass(frozen=True, slots=True)
class Configured:
    """From a worker: a configuration is in force."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    kind: Literal["configured"] = "configured"


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: it cannot work, and ends.

    Args:
        reason: why.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    reason: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class LogLine:
    """From a worker: a line for the log.

    Args:
        text: the line, without time or newline.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    text: str
    kind: Literal["log-line"] = "log-line"


@dataclass(frozen=True, slots=True)
class Recorded:
    """From a worker: an event, for the log in JSON.

    Args:
        fields: the event.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    fields: Record
    kind: Literal["recorded"] = "recorded"


@dataclass(frozen=True, slots=True)
class Count:
    """From a worker: what it has done since it began, and what memory it uses now."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    counters: Counters
    usage: Usage
    kind: Literal["count"] = "count"


@dataclass(frozen=True, slots=True)
class Faulted:
    """From a worker: the engine failed; what is needed to have it fail again.

    Args:
        trace: where in the program.
        packet: the packet at which it failed, in hexadecimal digits.
        state: its connection as the failure left it, likewise.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    trace: str
    packet: str
    state: str
    kind: Literal["faulted"] = "faulted"


@dataclass(frozen=True, slots=True)
class HandOver:
    """To a worker: write down the connections, count for the last time and end."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    kind: Literal["hand-over"] = "hand-over"


@dataclass(frozen=True, slots=True)
class Stop:
    """To a worker: count for the last time and end."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    kind: Literal["stop"] = "stop"


Message: TypeAlias = (
    Configure | Configured | Failed | LogLine | Recorded | Faulted | Count | HandOver | Stop
)
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


class Channel:
    """One end of a connection between supervisor and worker; it never blocks.

    Args:
        connection: a connected stream socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._received = bytearray()
        self._waiting = bytearray()
        self.ended = False
        """Whether the other side is gone."""

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    @property
    def unsent(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._waiting)

    @property
    def awaited(self) -> int:
        """The selector events to wait for: writing as well while something is still to be sent."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._waiting else 0)

    def send(self, message: Message) -> bool:
        """Send a message, now or as soon as there is room.

        Args:
            message: the message.

        Returns:
            whether it was taken; not while more than MAX_WAITING bytes wait.
        """
        if len(self._waiting) > MAX_WAITING:
            return False
        self._waiting += _MESSAGES.dump_json(message) + b"\n"
        self.flush()
        return True

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        try:
            while self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
            self._waiting.clear()

    def receive(self) -> Iterator[Message]:
        """The messages that have come.

        Raises:
            PixguardError: what came is no message.
        """
        try:
            while data := self._socket.recv(1 << 16):
                self._received += data
                if len(self._received) > MAX_MESSAGE:
                    raise PixguardError("a message without an end")
            self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        for line in lines:
            try:
                yield _MESSAGES.validate_json(line)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                raise PixguardError(f"not a message: {first['msg']}") from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
