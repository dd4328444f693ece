"""What 8.3 and later name and translate: objects, and the `nat` of an object or of its own.

Part of the configuration that a rule file states, see `model`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import TypeAlias

from appliance.errors import Place

ANYTHING = "any"
"""In place of an interface or an object."""


@dataclass(frozen=True, slots=True)
class AddressRange:
    """`range FIRST LAST`, both included."""

    first: IPv4Address
    last: IPv4Address


@dataclass(frozen=True, slots=True)
class DomainName:
    """`fqdn [v4 | v6] NAME`, as written after the keyword."""

    text: str


Addresses: TypeAlias = IPv4Network | AddressRange | DomainName


@dataclass(frozen=True, slots=True)
class Mapped:
    """What sources become.

    Args:
        name: the object or group with the addresses, "" for none.
        address: the address, or the first of as many as the real ones are; None for none.
        own: whether the mapped interface's own address serves, alone or when the others are used
            up.
        pooled: whether hosts share the addresses by their ports (`pat-pool`).
        options: the words behind a pool, "round-robin".
    """

    name: str = ""
    address: IPv4Address | None = None
    own: bool = False
    pooled: bool = False
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = ["pat-pool"] if self.pooled else []
        words += [self.name] if self.name else [str(self.address)] if self.address else []
        words += [*self.options, *(["interface"] if self.own else [])]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class ObjectNat:
    """`nat` of an object: translates the object.

    Args:
        real_interface: the side of the object, or any.
        mapped_interface: the side that sees the mapped addresses, or any.
        dynamic: whether hosts get an address when they begin something, and not one each for good.
        mapped: what the object becomes.
        protocol: 6 or 17 where it is of one port, None for all.
        real_port: that port, else 0.
        mapped_port: what it becomes, else 0.
        flags: the words behind, of `dns`, `no-proxy-arp` and `route-lookup`.
        place: where it stands.
    """

    real_interface: str
    mapped_interface: str
    dynamic: bool
    mapped: Mapped
    protocol: int | None
    real_port: int
    mapped_port: int
    flags: tuple[str, ...]
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class NetworkObject:
    """`object network`.

    Args:
        name: its name; groups and objects share one set of names.
        value: its addresses, None while it has none.
        description: as written, "" for none.
        nat: what translates it, None for nothing.
    """

    name: str
    value: Addresses | None
    description: str = ""
    nat: ObjectNat | None = None

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return f"object network {self.name}"


@dataclass(frozen=True, slots=True)
class TwiceNat:
    """`nat` outside of objects: translates a source, and maybe the destination and ports with it.

    Args:
        real_interface: the side of the real source, or any.
        mapped_interface: the side that sees the mapped source, or any.
        after_objects: whether it comes after the `nat` of objects (`after-auto`).
        dynamic: whether the source is translated to addresses that hosts get for a time.
        real: the object or group that is the source, or any.
        mapped: what that becomes; `any` as its name for any.
        destination: what the real side addresses, `interface` for the firewall's own address
            there, and the object or group that it becomes; None for any destination as it is.
        services: the service objects before and after; None for any ports as they are.
        flags: the words behind, of `dns`, `no-proxy-arp`, `route-lookup`, `unidirectional` and
            `inactive`.
        description: as written, "" for none.
        place: where it stands.
    """

    real_interface: str
    mapped_interface: str
    after_objects: bool
    dynamic: bool
    real: str
    mapped: Mapped
    destination: tuple[str, str] | None
    services: tuple[str, str] | None
    flags: tuple[str, ...]
    description: str
    place: Place = field(compare=False)

    @property
    def is_active(self) -> bool:
        """Whether it is in force."""
        return "inactive" not in self.flags


def networks(value: Addresses | None) -> tuple[IPv4Network, ...]:
    """The addresses of a network object, as networks; none of a name that nobody looks up."""
    match value:
        case IPv4Network():
            return (value,)
        case AddressRange():
            return tuple(summarize_address_range(value.first, value.last))
        case _:
            return ()
