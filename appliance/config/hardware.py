"""Interfaces from 7.0 on: `interface`, and what stands below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from appliance.config.command import GLOBAL, Command, Mode, accepted, below, unimplemented
from appliance.config.draft import Draft, HardwareEntry, InterfaceAddress, InterfaceName, Use
from appliance.config.grammar import (
    ANYTHING,
    Argument,
    Arguments,
    Keyword,
    OneOf,
    Options,
    Piece,
    Sequence,
    Text,
)
from appliance.config.interfaces import read_address
from appliance.config.kinds import ADDRESS, INTERFACE, NETMASK, Integer, Word
from appliance.config.language import SEVEN
from appliance.config.model import Configuration, Hardware, Interface

INTERFACE_MODE = Mode("interface", GLOBAL)

_HARDWARE = Word("HARDWARE", "a hardware interface", r"[A-Za-z][!-~]{0,47}", "such as Ethernet0")
_SPEED = Word("SPEED", "a speed", r"auto|nonegotiate|[0-9]{2,5}", "auto, 10, 100 or 1000")
_DUPLEX = Word("DUPLEX", "a duplex mode", r"auto|full|half", "auto, full or half")


def _enter_interface(draft: Draft, arguments: Arguments) -> HardwareEntry:
    name = arguments.need("hardware", str)
    new = HardwareEntry(Hardware(name), arguments.where("hardware"))
    return draft.hardware.setdefault(name.lower(), new)


def _undo_interface(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("hardware", str)
    entry = draft.hardware.pop(name.lower(), None)
    if entry is None:
        raise arguments.refusal("hardware", f"there is no {name}", "remove what is defined above")
    _unname(draft, entry)
    draft.kept.close((entry.heading,))


def clear_hardware(draft: Draft, arguments: Arguments) -> None:
    """Forget all interfaces, their names and their addresses."""
    for entry in draft.hardware.values():
        _unname(draft, entry)
        draft.kept.close((entry.heading,))
    draft.hardware.clear()


def _unname(draft: Draft, entry: HardwareEntry) -> None:
    if entry.name:
        draft.interface_names.pop(entry.name.name, None)
        draft.addresses.pop(entry.name.name, None)
        entry.name = None


def _settle(draft: Draft, entry: HardwareEntry) -> None:
    """Make what stands below an interface that of its name."""
    if entry.name is None:
        return
    name = entry.name.name
    default = 100 if name == "inside" else 0
    level = default if entry.level is None else entry.level
    draft.interface_names[name] = InterfaceName(entry.hardware.name, level, entry.name.place)
    if entry.address:
        draft.addresses[name] = replace(entry.address, use=Use(name, entry.address.use.place))
    else:
        draft.addresses.pop(name, None)


def _enter_nameif(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(HardwareEntry)
    name = arguments.need("name", str)
    known = draft.interface_names.get(name)
    if known and known.hardware != entry.hardware.name:
        raise arguments.refusal(
            "name",
            f'"{name}" is the name of {known.hardware} already (line {known.place.line})',
            "give each interface a name of its own",
        )
    _unname(draft, entry)
    entry.name = Use(name, arguments.where("name"))
    _settle(draft, entry)


def _undo_nameif(draft: Draft, arguments: Arguments) -> None:
    _unname(draft, arguments.subject(HardwareEntry))


def _enter_level(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(HardwareEntry)
    entry.level = arguments.need("level", int)
    _settle(draft, entry)


def _undo_level(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(HardwareEntry)
    entry.level = None
    _settle(draft, entry)


def _enter_address(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(HardwareEntry)
    dynamic = arguments.get("dynamic", str)
    use = Use("", arguments.place)
    if dynamic:
        acquires = f"{dynamic} {arguments.get('rest', str)}".rstrip()
        entry.address = InterfaceAddress(None, use, acquires)
        draft.warn(
            arguments.where("dynamic"),
            f"`ip address {dynamic}` is not implemented",
            "the interface has no address: write `ip address ADDRESS NETMASK`",
        )
    else:
        standby = arguments.get("standby", IPv4Address)
        entry.address = InterfaceAddress(read_address(arguments), use, standby=standby)
    _settle(draft, entry)


def _undo_address(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(HardwareEntry)
    entry.address = None
    _settle(draft, entry)


def _attribute(
    words: str, help: str, key: str, form: Piece, set_to: Callable[[Hardware, Arguments], Hardware]
) -> Command:
    """A command that sets one attribute of the hardware."""

    def enter(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(HardwareEntry)
        entry.hardware = set_to(entry.hardware, arguments)

    def undo(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(HardwareEntry)
        default = getattr(Hardware(entry.hardware.name), key)
        entry.hardware = replace(entry.hardware, **{key: default})

    return Command(words, help, enter, form, undo, ANYTHING, mode=INTERFACE_MODE, since=SEVEN)


def _print(configuration: Configuration) -> Iterator[str]:
    named = {each.hardware: each for each in configuration.interfaces}
    for hardware in configuration.hardware:
        yield hardware.heading
        for key in ("description", "speed", "duplex"):
            if value := getattr(hardware, key):
                yield f" {key} {value}"
        if hardware.shutdown:
            yield " shutdown"
        if hardware.vlan is not None:
            yield f" vlan {hardware.vlan}"
        yield from _print_named(named.get(hardware.name))
        yield from below(configuration, hardware.heading)
        yield "!"


def _print_named(interface: Interface | None) -> Iterator[str]:
    if interface is None:
        yield from (" no nameif", " no security-level", " no ip address")
        return
    yield f" nameif {interface.name}"
    yield f" security-level {interface.level}"
    if interface.address is not None and interface.network is not None:
        standby = f" standby {interface.standby}" if interface.standby else ""
        yield f" ip address {interface.address} {interface.network.netmask}{standby} "
    else:
        yield f" {'' if interface.acquires else 'no '}ip address {interface.acquires}".rstrip()


COMMANDS = (
    Command(
        "interface",
        "a hardware interface, or a VLAN on it",
        _enter_interface,
        Argument("hardware", _HARDWARE),
        _undo_interface,
        since=SEVEN,
        opens=INTERFACE_MODE,
        printed=_print,
        detail="It is up without `shutdown`. The lines below name it and give it its address.",
    ),
    Command(
        "nameif",
        "the name of the interface",
        _enter_nameif,
        Argument("name", INTERFACE),
        _undo_nameif,
        ANYTHING,
        defines=(0,),
        since=SEVEN,
        mode=INTERFACE_MODE,
    ),
    Command(
        "security-level",
        "its security level",
        _enter_level,
        Argument("level", Integer(0, 100, "LEVEL")),
        _undo_level,
        ANYTHING,
        since=SEVEN,
        mode=INTERFACE_MODE,
        detail="Without the line, 100 for `inside` and 0 for all others.",
    ),
    Command(
        "ip address",
        "its address",
        _enter_address,
        OneOf(
            Sequence(Keyword("dhcp", "dynamic", "dhcp"), ANYTHING),
            Sequence(Keyword("pppoe", "dynamic", "pppoe"), ANYTHING),
            Sequence(
                Argument("address", ADDRESS),
                Options(
                    Argument("netmask", NETMASK),
                    Sequence(Keyword("standby"), Argument("standby", ADDRESS)),
                ),
            ),
        ),
        _undo_address,
        ANYTHING,
        since=SEVEN,
        mode=INTERFACE_MODE,
        detail=(
            "`dhcp` and `pppoe` are not implemented: the interface then has no address. `standby` "
            "has no effect, since there is no second unit."
        ),
    ),
    _attribute(
        "shutdown", "take it down", "shutdown", Sequence(), lambda h, a: replace(h, shutdown=True)
    ),
    _attribute(
        "speed",
        "its speed, without effect here",
        "speed",
        Argument("speed", _SPEED),
        lambda hardware, a: replace(hardware, speed=a.need("speed", str)),
    ),
    _attribute(
        "duplex",
        "its duplex mode, without effect here",
        "duplex",
        Argument("duplex", _DUPLEX),
        lambda hardware, a: replace(hardware, duplex=a.need("duplex", str)),
    ),
    _attribute(
        "vlan",
        "the number of its VLAN; the box file names the Linux interface that has it",
        "vlan",
        Argument("vlan", Integer(1, 4094, "VLAN")),
        lambda hardware, a: replace(hardware, vlan=a.need("vlan", int)),
    ),
    _attribute(
        "description",
        "what it is for",
        "description",
        Text("description"),
        lambda hardware, a: replace(hardware, description=a.need("description", str)),
    ),
    *(
        accepted(words, help, since=SEVEN, mode=INTERFACE_MODE)
        for words, help in {
            "allow-ssc-mgmt": "management of a module",
            "channel-group": "bundle interfaces",
            "delay": "delay, for routing protocols",
            "flowcontrol": "pause frames",
            "lacp": "bundle interfaces",
            "mac-address": "its hardware address",
            "member-interface": "an interface of a redundant pair",
            "media-type": "copper or fibre",
            "port-channel": "bundle interfaces",
            "switchport": "a port of the built-in switch",
        }.items()
    ),
    *(
        unimplemented(words, help, gap, since=SEVEN, mode=INTERFACE_MODE, public=public)
        for words, (help, gap, public) in {
            "management-only": (
                "let nothing pass through the interface",
                "what the rules permit passes through it",
                None,
            ),
            "bridge-group": ("bridge interfaces", "they are not bridged", None),
            "dhcp": ("ask for an address by DHCP", "none is asked for", None),
            "igmp": ("multicast", "no multicast is forwarded", None),
            "ipv6": ("IPv6", "no IPv6 is forwarded", None),
            "multicast": ("multicast", "no multicast is forwarded", None),
            "ospf": ("learn routes", "no route is learnt", (r"(?!.*key).*",)),
            "pim": ("multicast", "no multicast is forwarded", None),
            "pppoe": ("an address by PPPoE", "none is asked for", None),
            "rip": ("learn routes", "no route is learnt", (r"(?!.*key).*",)),
            "authentication": ("learn routes", "no route is learnt", ()),
        }.items()
    ),
)
