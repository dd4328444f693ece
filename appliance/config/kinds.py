"""The kinds of argument that commands take: each reads one word and can say what it expects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Protocol

from appliance.config.line import quoted
from appliance.config.services import SERVICES, SEVERITIES

Names = Mapping[str, IPv4Address]


class Mismatch(Exception):
    """A word that is not of the kind wanted; the message says why."""


class Kind(Protocol):
    """A kind of argument.

    Args:
        label: what stands for it in a usage line, in capitals.
        expects: what it expects, for an error: "an IPv4 address or a name".
    """

    @property
    def label(self) -> str: ...  # noqa: D102  told above

    @property
    def expects(self) -> str: ...  # noqa: D102  told above

    def parse(self, word: str, names: Names) -> object:
        """Read one word.

        Args:
            word: the word.
            names: what `name` commands have defined and `names` lets be used.

        Raises:
            Mismatch: it is not of this kind.
        """


def matching(word: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """The keywords that a word means: the one equal to it, or all that it begins."""
    lowered = word.lower() if word.isascii() else word
    return (lowered,) if lowered in words else tuple(w for w in words if w.startswith(lowered))


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 address, a name for one, or `0` for 0.0.0.0."""

    label = "ADDRESS"
    expects = "an IPv4 address or a name defined by `name`"

    def parse(self, word: str, names: Names) -> IPv4Address:
        """Read one word, see `Kind`."""
        if word in names:
            return names[word]
        if word == "0":
            return IPv4Address(0)
        try:
            return IPv4Address(word)
        except AddressValueError:
            if re.fullmatch(r"[0-9.]+", word):
                raise Mismatch(f"{quoted(word)} is not an IPv4 address") from None
            raise Mismatch(f"{quoted(word)} is neither an address nor a name") from None


@dataclass(frozen=True, slots=True)
class Netmask:
    """A netmask, or `0` for 0.0.0.0; the value is the length of its prefix."""

    label = "NETMASK"
    expects = "a netmask such as 255.255.255.0"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        try:
            mask = int(IPv4Address("0.0.0.0" if word == "0" else word))  # noqa: S104
        except AddressValueError:
            raise Mismatch(f"{quoted(word)} is not a netmask") from None
        prefix = mask.bit_count()
        if mask == _mask(prefix):
            return prefix
        inverse = mask ^ 0xFFFFFFFF
        if inverse == _mask(inverse.bit_count()):
            meant = IPv4Address(inverse)
            raise Mismatch(f"{quoted(word)} is a wildcard mask; the netmask is {meant}")
        raise Mismatch(f"{quoted(word)} is not a netmask: its ones are not all on the left")


def _mask(prefix: int) -> int:
    return 0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Integer:
    """A decimal number with bounds.

    Args:
        low: the smallest allowed.
        high: the greatest allowed.
        label: what stands for it in a usage line.
    """

    low: int
    high: int
    label: str = "NUMBER"

    @property
    def expects(self) -> str:
        """What it expects, see `Kind`."""
        return f"a number from {self.low} to {self.high}"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        if not re.fullmatch(r"[0-9]{1,10}", word) or not self.low <= int(word) <= self.high:
            raise Mismatch(f"{quoted(word)} is not {self.expects}")
        return int(word)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some keywords, which may be abbreviated, or the number of one.

    Args:
        label: what stands for it in a usage line.
        noun: what it is, for errors.
        values: the keywords and what they stand for.
        numbers: bounds of a number that may stand in place of a keyword, None for no numbers.
    """

    label: str
    noun: str
    values: Mapping[str, int]
    numbers: tuple[int, int] | None = None

    @property
    def expects(self) -> str:
        """What it expects, see `Kind`."""
        number = f", or {Integer(*self.numbers).expects}" if self.numbers else ""
        return f"{self.noun} ({', '.join(self.values)}{number})"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        if self.numbers and re.fullmatch(r"[0-9]{1,10}", word):
            return Integer(*self.numbers).parse(word, names)
        found = matching(word, tuple(self.values))
        if len(found) == 1:
            return self.values[found[0]]
        if found:
            raise Mismatch(f"{quoted(word)} is ambiguous: {', '.join(found)}")
        raise Mismatch(f"{quoted(word)} is not {self.noun}")


@dataclass(frozen=True, slots=True)
class Port:
    """A port: its number, or its name in the protocol.

    Args:
        protocol: "tcp", "udp", or "tcp-udp" for a port of both.
    """

    protocol: str
    label = "PORT"

    @property
    def expects(self) -> str:
        """What it expects, see `Kind`."""
        return f"a {self.protocol} port: a number from 0 to 65535 or a name such as {self._sample}"

    @property
    def _sample(self) -> str:
        return "smtp" if self.protocol == "tcp" else "domain"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        services = SERVICES[self.protocol]
        name = word.lower()
        if name in services:
            return services[name]
        if re.fullmatch(r"[0-9]{1,5}", word) and int(word) <= 65535:
            return int(word)
        raise Mismatch(f"{quoted(word)} is not a {self.protocol} port")


@dataclass(frozen=True, slots=True)
class PortRange:
    """A port or two with `-` between, `25-30`; the value is the lower and the upper one.

    Args:
        protocol: whose names of ports may be used, "tcp" or "udp".
    """

    protocol: str = "tcp"
    label = "PORT[-PORT]"
    expects = "a port or a range of ports, such as 25 or 25-30"

    def parse(self, word: str, names: Names) -> tuple[int, int]:
        """Read one word, see `Kind`."""
        if re.fullmatch(r"[0-9]+-[0-9]+", word):
            first, last = word.split("-")
        else:
            first = last = word
        low, high = (Port(self.protocol).parse(part, names) for part in (first, last))
        if low == 0:
            raise Mismatch(f"{quoted(word)} is not a port to inspect: ports begin at 1")
        if low > high:
            raise Mismatch(f"{quoted(word)} is a range whose end is before its start")
        return low, high


@dataclass(frozen=True, slots=True)
class PortsOrAll:
    """A port, or two with `-` between; 0 is every port, and its value (0, 0)."""

    label = "PORT[-PORT]"
    expects = "a port or a range of ports, such as 25 or 25-30, or 0 for all"

    def parse(self, word: str, names: Names) -> tuple[int, int]:
        """Read one word, see `Kind`."""
        parts = word.split("-") if re.fullmatch(r"[0-9]+-[0-9]+", word) else [word, word]
        low, high = (self._port(part, names) for part in parts)
        if low > high:
            raise Mismatch(f"{quoted(word)} is a range whose end is before its start")
        return low, high

    def _port(self, word: str, names: Names) -> int:
        try:
            return Port("tcp").parse(word, names)
        except Mismatch:
            return Port("udp").parse(word, names)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a certain shape.

    Args:
        label: what stands for it in a usage line.
        noun: what it is, for errors: "a host name".
        shape: a regular expression that it matches whole.
        rule: the shape in words.
    """

    label: str
    noun: str
    shape: str = r"[!-~]{1,63}"
    rule: str = "1 to 63 printable characters without blanks"

    @property
    def expects(self) -> str:
        """What it expects, see `Kind`."""
        return f"{self.noun}: {self.rule}"

    def parse(self, word: str, names: Names) -> str:
        """Read one word, see `Kind`."""
        if not re.fullmatch(self.shape, word):
            raise Mismatch(f"{quoted(word)} is not {self.noun}")
        return word


@dataclass(frozen=True, slots=True)
class SecurityLevel:
    """`security0` to `security100`."""

    label = "securityN"
    expects = "a security level from security0 to security100"

    def parse(self, word: str, names: Names) -> int:
        """Read one word, see `Kind`."""
        found = re.fullmatch(r"([a-z]{3,8})([0-9]{1,3})", word.lower())
        if not found or not "security".startswith(found[1]) or int(found[2]) > 100:
            raise Mismatch(f"{quoted(word)} is not a security level")
        return int(found[2])


@dataclass(frozen=True, slots=True)
class InterfacePair:
    """`(inside,outside)`; the value is the two names, each with its offset in the word."""

    label = "(REAL_INTERFACE,MAPPED_INTERFACE)"
    expects = "two interface names such as (inside,outside)"

    def parse(self, word: str, names: Names) -> tuple[tuple[str, int], tuple[str, int]]:
        """Read one word, see `Kind`."""
        found = re.fullmatch(r"\(\s*([!-'*-+\--~]+)\s*,\s*([!-'*-+\--~]+)\s*\)", word)
        if not found:
            raise Mismatch(f"{quoted(word)} is not a pair of interface names")
        return (found[1], found.start(1)), (found[2], found.start(2))


ADDRESS = Address()
NETMASK = Netmask()
INTERFACE = Word("INTERFACE", "an interface name", r"[!-'*-+\--~]{1,48}", "up to 48 characters")
ACCESS_LIST = Word("LIST", "the name of an access list", r"[!-~]{1,240}", "up to 240 characters")
SEVERITY = Choice("LEVEL", "a severity", SEVERITIES, (0, 7))
