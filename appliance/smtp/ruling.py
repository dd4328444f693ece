"""What inspection says to bytes, and what it remarks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from appliance.events import Kind
from appliance.smtp.esmtp_map import Action

EXCERPT = 512
"""Bytes of a line that an event shows: the longest command line of RFC 821, section 4.5.3."""


class Refusal(Enum):
    """Why bytes are not forwarded at all."""

    DISCARD = "discard"
    """They end before their verb does. As if they had never come: what the sender sends again is
    judged anew."""
    EXCESS = "excess"
    """Likewise, since mails come faster than an inspection map lets them."""
    WAIT = "wait"
    """Likewise, since it is not known yet whether the server takes them for commands."""
    DROP = "drop"
    """Nor is anything that follows in this connection."""
    RESET = "reset"
    """And both ends are told that the connection is over."""


class Part(NamedTuple):
    """Bytes of a segment, and what goes on in their place.

    Args:
        taken: how many they are.
        forwarded: what goes on in their place, of any length.
        own: whether the firewall answers for its arrival: the sender has been told that its bytes
            arrived, or never sent any.
    """

    taken: int
    forwarded: bytes
    own: bool = False


Ruling: TypeAlias = bytes | list[Part] | Refusal | None
"""As many bytes to forward in place of those judged, or parts that cover them in order, or a
refusal, or None: forward them as they are."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that inspection did or noticed, for the event that tells of it.

    Args:
        kind: what happened.
        at: index of the first byte concerned in the bytes judged; negative in bytes before them.
        original: those bytes as they were sent.
        rewritten: as they are forwarded.
        detail: what a log line needs besides.
        action: what the inspection map has done about it, None where none is asked.
    """

    kind: Kind
    at: int
    original: bytes = b""
    rewritten: bytes = b""
    detail: str = ""
    action: Action | None = None
