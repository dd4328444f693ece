"""The packet that a user describes, in the words of a device's `packet-tracer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

import click

from appliance.admission import Opening
from appliance.config.kinds import ADDRESS, Choice, Integer, Kind, Mismatch, Port
from appliance.config.model import Configuration
from appliance.config.services import ICMP_TYPES, PROTOCOLS
from appliance.packet.segment import SYN
from appliance.protocol import ICMP, TCP, UDP

FORMS = (
    "input INTERFACE tcp|udp SOURCE PORT DESTINATION PORT",
    "input INTERFACE icmp SOURCE TYPE CODE DESTINATION",
    "input INTERFACE PROTOCOL SOURCE DESTINATION",
)

_PROTOCOL = Choice(
    "PROTOCOL", "a protocol", PROTOCOLS | {"icmp": ICMP, "tcp": TCP, "udp": UDP}, (1, 255)
)
_ICMP_TYPE = Choice("TYPE", "an ICMP type", ICMP_TYPES, (0, 255))
_ICMP_CODE = Integer(0, 255, "CODE")
_PORTED = {TCP: "tcp", UDP: "udp"}

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a flow.

    Args:
        opening: what the policy is asked of it.
        flags: TCP flags byte, or the ICMP type times 256 plus the code, else 0.
    """

    opening: Opening
    flags: int = 0


def read_packet(words: Sequence[str], configuration: Configuration) -> Packet:
    """The packet that some words describe.

    Args:
        words: those of one of `FORMS`; addresses, ports, protocols and types may be names, as in
            the rule file.
        configuration: says which interfaces and names there are.

    Raises:
        click.UsageError: they describe none.
    """
    names = {n.name: n.address for n in configuration.names} if configuration.names_enabled else {}
    reader = _Reader(words, names)
    if reader.word("`input`") != "input":
        raise _wrong(f"{words[0]!r} stands where `input` should")
    ingress = reader.word("the interface")
    known = [each.name for each in configuration.interfaces]
    if ingress not in known:
        raise _wrong(
            f"there is no interface {ingress!r}; the rule file names {', '.join(known) or 'none'}"
        )
    protocol = reader.read(_PROTOCOL, int)
    source = reader.read(ADDRESS, IPv4Address)
    source_port = port = 0
    icmp_type, flags = -1, 0
    if protocol in _PORTED:
        source_port = reader.read(Port(_PORTED[protocol]), int)
        flags = SYN if protocol == TCP else 0
    elif protocol == ICMP:
        icmp_type = reader.read(_ICMP_TYPE, int)
        flags = icmp_type << 8 | reader.read(_ICMP_CODE, int)
    destination = reader.read(ADDRESS, IPv4Address)
    if protocol in _PORTED:
        port = reader.read(Port(_PORTED[protocol]), int)
    reader.end()
    return Packet(
        Opening(protocol, source, source_port, destination, port, icmp_type, ingress), flags
    )


def _wrong(problem: str) -> click.UsageError:
    forms = "\n".join(f"  {form}" for form in FORMS)
    return click.UsageError(f"{problem}\nA packet is one of\n{forms}")


class _Reader:
    """Reads words one by one."""

    def __init__(self, words: Sequence[str], names: Mapping[str, IPv4Address]) -> None:
        self._words = list(words)
        self._names = names

    def word(self, expected: str) -> str:
        """The next word; `expected` says what it is."""
        if not self._words:
            raise _wrong(f"{expected} is missing")
        return self._words.pop(0)

    def read(self, kind: Kind, of: type[_Value]) -> _Value:
        """The next word as an argument of some kind; `of` is the type of its values."""
        word = self.word(kind.expects)
        try:
            value = kind.parse(word, self._names)
        except Mismatch as mismatch:
            raise _wrong(f"{mismatch}; expected: {kind.expects}") from None
        assert isinstance(value, of)  # noqa: S101  what the kind reads
        return value

    def end(self) -> None:
        """Refuse what is left over."""
        if self._words:
            raise _wrong(f"{self._words[0]!r} is one word too many")
