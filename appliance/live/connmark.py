"""The connection mark: what was decided of a connection when it began, kept by the kernel.

    bits  0-13  number of the static of its destination; failing that, of what translates its
                source; failing that, of the exemption of its destination (those of the rule file,
                counted from 1: first the statics, then `nat`)
    bit  14     it came in by the interface that it leaves by
    bit  15     its release answers lines itself, so its ends count differently
    bits 16-21  its worker
    bit  22     it is inspected
    bit  23     it was permitted
    bits 24-31  not ours, left alone

Of the packet mark, RETURNS is set while the first packet of a connection is judged that
`established` lets in.

The rules write it once, at a connection's first packet, and copy it to the mark of each packet
that they queue. So a reload changes new connections only, one worker sees both directions, and
connections of equal addresses (one client port to two translations of one server) stay apart.
"""

from __future__ import annotations

TRANSLATION = 0x00003FFF
HAIRPIN = 0x00004000
ANSWERED = 0x00008000
WORKER = 0x003F0000
INSPECTED = 0x00400000
PERMITTED = 0x00800000
ALL = TRANSLATION | HAIRPIN | ANSWERED | WORKER | INSPECTED | PERMITTED

RETURNS = HAIRPIN
"""The packet mark of what comes back to a host that has a connection to the sender."""

OWN_PACKET = INSPECTED
"""The packet mark (SO_MARK) of what the firewall sends itself: a connection never has just this."""


def of_worker(number: int) -> int:
    """The worker's part of a mark.

    Args:
        number: the worker, from 0 to 63.
    """
    return number << 16


def translation(mark: int) -> int:
    """The number of the translation in a mark, 0 for none."""
    return mark & TRANSLATION
