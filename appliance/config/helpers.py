"""Protocols whose further connections the kernel foresees and permits, by its own helpers."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config.language import FIRST, SEVEN, Language
from appliance.protocol import TCP, UDP


@dataclass(frozen=True, slots=True)
class Helped:
    """A protocol that a helper of connection tracking reads.

    Args:
        words: what `fixup protocol` calls it.
        helper: what the kernel calls its helper.
        protocol: what carries it, the number of TCP or UDP.
        ports: its usual ports, as an inclusive range.
        further: other helpers, which read the connections that it opens.
    """

    words: str
    helper: str
    protocol: int
    ports: tuple[int, int]
    further: tuple[str, ...] = ()


FTP = Helped("ftp", "ftp", TCP, (21, 21))
H225 = Helped("h323 h225", "Q.931", TCP, (1720, 1720), ("H.245",))
RAS = Helped("h323 ras", "RAS", UDP, (1718, 1719), ("Q.931", "H.245"))
PPTP = Helped("pptp", "pptp", TCP, (1723, 1723))
SIP = Helped("sip", "sip", TCP, (5060, 5060))
SIP_UDP = Helped("sip udp", "sip", UDP, (5060, 5060))
TFTP = Helped("tftp", "tftp", UDP, (69, 69))

INSPECTED = {
    "ftp": (FTP,),
    "h323 h225": (H225,),
    "h323 ras": (RAS,),
    "pptp": (PPTP,),
    "sip": (SIP, SIP_UDP),
    "tftp": (TFTP,),
}
"""What is read, by what follows `inspect`."""

_SINCE: dict[Helped, Language] = {
    FTP: FIRST,
    H225: (4, 2),
    RAS: (6, 2),
    SIP: (5, 3),
    SIP_UDP: (6, 3),
    TFTP: (6, 3),
}
"""The first version that has each on from the start (docs/evidence.md)."""


def defaults(language: Language) -> tuple[Helped, ...]:
    """What `fixup protocol` has on from the start, on its usual ports.

    Args:
        language: of which version.
    """
    if language >= SEVEN:
        return ()
    return tuple(helped for helped, since in _SINCE.items() if language >= since)
