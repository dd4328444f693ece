"""Interfaces: their names and security levels, whether they are up, their addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from appliance.config.command import Command, accepted
from appliance.config.draft import Draft, InterfaceAddress, InterfaceName, Use
from appliance.config.grammar import (
    ANYTHING,
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Sequence,
)
from appliance.config.kinds import ADDRESS, INTERFACE, NETMASK, SecurityLevel, Word

_HARDWARE = Word("HARDWARE", "a hardware interface", rule="such as ethernet0")
_SPEED = Word("SPEED", "a speed", r"[A-Za-z0-9]+", "such as auto, 10baset or 100full")
_RESERVED = {"outside": 0, "inside": 100}

# What a device prints as the address of an interface that has none.
_UNSET = IPv4Interface("127.0.0.1/32")


def class_prefix(address: IPv4Address) -> int:
    """The prefix length of an address's class (A, B or C), which an omitted netmask means."""
    first = int(address) >> 24
    return 8 if first < 128 else 16 if first < 192 else 24


def _enter_nameif(draft: Draft, arguments: Arguments) -> None:
    hardware = arguments.need("hardware", str).lower()
    name = arguments.need("name", str)
    level = arguments.need("level", int)
    for reserved, its_level in _RESERVED.items():
        # The device says it in these words and of these two names only.
        if (name == reserved) != (level == its_level):
            raise arguments.refusal(
                "name" if name == reserved else "level",
                f'interface name "{reserved}" is reserved for interface with security{its_level}',
                f"write `nameif {hardware} {reserved} security{its_level}`, "
                "or another name and a level from security1 to security99",
            )
    known = draft.interface_names.get(name)
    if known and known.hardware != hardware:
        raise arguments.refusal(
            "name",
            f'"{name}" is the name of {known.hardware} already (line {known.place.line})',
            "give each interface a name of its own",
        )
    for other, entry in list(draft.interface_names.items()):
        if entry.hardware == hardware:
            del draft.interface_names[other]
    draft.interface_names[name] = InterfaceName(hardware, level, arguments.place)


def _enter_interface(draft: Draft, arguments: Arguments) -> None:
    hardware = arguments.need("hardware", str).lower()
    shutdown = arguments.get("shutdown", bool) or False
    draft.shutdowns[hardware] = (shutdown, arguments.where("hardware"))


def _enter_address(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("interface", str)
    use = Use(name, arguments.where("interface"))
    dynamic = arguments.get("dynamic", str)
    if dynamic:
        draft.addresses[name] = InterfaceAddress(None, use)
        draft.warn(
            arguments.where("dynamic"),
            f"`ip address {name} {dynamic}` is not implemented",
            "the interface has no address: write `ip address INTERFACE ADDRESS NETMASK`",
        )
        return
    address = arguments.need("address", IPv4Address)
    prefix = arguments.get("netmask", int)
    full = IPv4Interface((address, class_prefix(address) if prefix is None else prefix))
    if full == _UNSET:
        draft.addresses[name] = InterfaceAddress(None, use)
        return
    network = full.network
    first, last = network.network_address, network.broadcast_address
    if address.is_multicast or address.is_loopback or int(address) >> 24 in (0, 255):
        problem = f"{address} cannot be the address of an interface"
    elif network.prefixlen < 31 and address in (first, last):
        kind = "network" if address == first else "broadcast"
        problem = f"{address} is the {kind} address of {network.with_netmask}"
    else:
        draft.addresses[name] = InterfaceAddress(full, use)
        return
    raise arguments.refusal("address", problem, "expected: the address of a host")


def _undo_address(draft: Draft, arguments: Arguments) -> None:
    draft.addresses.pop(arguments.need("interface", str), None)


COMMANDS = (
    Command(
        "nameif",
        "name an interface and give it its security level",
        _enter_nameif,
        Sequence(
            Argument("hardware", _HARDWARE),
            Argument("name", INTERFACE),
            Argument("level", SecurityLevel()),
        ),
        defines=(0, 1),
    ),
    Command(
        "interface",
        "speed of a hardware interface, and whether it is shut down",
        _enter_interface,
        Sequence(
            Argument("hardware", _HARDWARE),
            Argument("speed", _SPEED),
            Options(Keyword("shutdown", "shutdown")),
        ),
    ),
    Command(
        "ip address",
        "address of an interface",
        _enter_address,
        Sequence(
            Argument("interface", INTERFACE),
            OneOf(
                Sequence(Keyword("dhcp", "dynamic", "dhcp"), ANYTHING),
                Sequence(Keyword("pppoe", "dynamic", "pppoe"), ANYTHING),
                Sequence(Argument("address", ADDRESS), Options(Argument("netmask", NETMASK))),
            ),
        ),
        _undo_address,
        Sequence(Argument("interface", INTERFACE), ANYTHING),
        defines=(0,),
    ),
    accepted("mtu", "the largest packet of an interface, which Linux sets here"),
)
