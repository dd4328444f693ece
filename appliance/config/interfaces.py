"""Interfaces: their names and security levels, whether they are up, their addresses."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

from appliance.config.command import Command, accepted
from appliance.config.draft import Draft, HardwareEntry, InterfaceAddress, InterfaceName, Use
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
from appliance.config.language import SEVEN
from appliance.config.model import Configuration, Hardware

_HARDWARE = Word("HARDWARE", "a hardware interface", rule="such as ethernet0")
_SPEED = Word("SPEED", "a speed", r"(?!vlan)[A-Za-z0-9]+", "such as auto, 10baset or 100full")
_VLAN = Word("vlanN", "a VLAN", r"vlan[0-9]{1,4}", "such as vlan10")
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
    vlan = arguments.get("vlan", str)
    if vlan is None:
        entry = Hardware(hardware, shutdown, arguments.need("speed", str))
    else:
        entry = Hardware(vlan, shutdown, arguments.need("kind", str), trunk=hardware)
        hardware = vlan
    draft.hardware[hardware] = HardwareEntry(entry, arguments.where("hardware"))


def read_address(arguments: Arguments) -> IPv4Interface | None:
    """The address that a command gives an interface, None for none.

    Raises:
        Refusal: it can be no interface's.
    """
    address = arguments.need("address", IPv4Address)
    prefix = arguments.get("netmask", int)
    full = IPv4Interface((address, class_prefix(address) if prefix is None else prefix))
    if full == _UNSET:
        return None
    network = full.network
    first, last = network.network_address, network.broadcast_address
    if address.is_multicast or address.is_loopback or int(address) >> 24 in (0, 255):
        problem = f"{address} cannot be the address of an interface"
    elif network.prefixlen < 31 and address in (first, last):
        kind = "network" if address == first else "broadcast"
        problem = f"{address} is the {kind} address of {network.with_netmask}"
    else:
        return full
    raise arguments.refusal("address", problem, "expected: the address of a host")


def _enter_address(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("interface", str)
    use = Use(name, arguments.where("interface"))
    dynamic = arguments.get("dynamic", str)
    if dynamic:
        acquires = f"{dynamic} {arguments.get('rest', str)}".rstrip()
        draft.addresses[name] = InterfaceAddress(None, use, acquires)
        draft.warn(
            arguments.where("dynamic"),
            f"`ip address {name} {dynamic}` is not implemented",
            "the interface has no address: write `ip address INTERFACE ADDRESS NETMASK`",
        )
        return
    draft.addresses[name] = InterfaceAddress(read_address(arguments), use)


def _undo_address(draft: Draft, arguments: Arguments) -> None:
    draft.addresses.pop(arguments.need("interface", str), None)


def _print_interfaces(configuration: Configuration) -> Iterator[str]:
    for each in configuration.hardware:
        trunk = f"{each.trunk} " if each.trunk else ""
        yield f"interface {trunk}{each.name} {each.speed}{' shutdown' if each.shutdown else ''}"


def _print_names(configuration: Configuration) -> Iterator[str]:
    for each in configuration.interfaces:
        yield f"nameif {each.hardware} {each.name} security{each.level}"


def _print_addresses(configuration: Configuration) -> Iterator[str]:
    for each in configuration.interfaces:
        if each.address is not None and each.network is not None:
            yield f"ip address {each.name} {each.address} {each.network.netmask}"
        elif each.acquires:
            yield f"ip address {each.name} {each.acquires}"
        elif configuration.language < (6, 0):
            yield f"ip address {each.name} {_UNSET.with_netmask.replace('/', ' ')}"
        else:
            yield f"no ip address {each.name}"


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
        until=SEVEN,
        instead="`nameif` and `security-level` below `interface`",
        printed=_print_names,
        detail="`outside` has level 0 and `inside` 100, and no other has.",
    ),
    Command(
        "interface",
        "speed of a hardware interface, and whether it is shut down",
        _enter_interface,
        Sequence(
            Argument("hardware", _HARDWARE),
            OneOf(
                Sequence(
                    Argument("vlan", _VLAN),
                    OneOf(*(Keyword(kind, "kind", kind) for kind in ("logical", "physical"))),
                ),
                Argument("speed", _SPEED),
            ),
            Options(Keyword("shutdown", "shutdown")),
        ),
        until=SEVEN,
        printed=_print_interfaces,
        detail=(
            "Up without the line. The speed has no effect. A VLAN is an interface of its own, "
            "whose hardware `nameif` calls vlanN."
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
        until=SEVEN,
        instead="`ip address` below `interface`",
        printed=_print_addresses,
        detail=(
            "127.0.0.1 255.255.255.255 is none. `dhcp` and `pppoe` are not implemented: the "
            "interface then has no address."
        ),
    ),
    accepted("mtu", "the largest packet of an interface, which Linux sets here"),
)
