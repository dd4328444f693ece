"""Hardware interfaces before 7.0, on lines of their own, and as blocks from then on."""

from __future__ import annotations

import re
from dataclasses import replace

from appliance.config.model import Configuration, Hardware, Interface
from appliance.convert.loss import Loss
from appliance.errors import Place

_SPEEDS = {
    "auto": ("", ""),
    "10baset": ("10", "half"),
    "10full": ("10", "full"),
    "100basetx": ("100", "half"),
    "100full": ("100", "full"),
    "1000auto": ("auto", ""),
    "1000full": ("1000", "full"),
    "1000sxfull": ("1000", "full"),
    "1000basesx": ("1000", "half"),
}
"""What 6.x writes after an interface, as speed and duplex of 7.0 and later."""

_OLD_NAME = re.compile(r"([a-z-]*ethernet)([0-9]+)", re.IGNORECASE)
_SUB = re.compile(r"(.+)\.[0-9]+")
_RESERVED = {"outside": 0, "inside": 100}


def as_blocks(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """The interfaces of a version before 7.0 as blocks.

    Args:
        configuration: of a version before 7.0.
    """
    losses: list[Loss] = []
    written = {each.name: each for each in configuration.hardware}
    for interface in configuration.interfaces:
        written.setdefault(interface.hardware, Hardware(interface.hardware, interface.shutdown))
    names = {each.name: _block_name(each) for each in written.values()}
    blocks = []
    for each in written.values():
        if each.trunk:
            vlan = int(each.name.removeprefix("vlan"))
            blocks.append(Hardware(names[each.name], each.shutdown, vlan=vlan))
            continue
        speed, duplex = _SPEEDS.get(each.speed.lower(), ("", ""))
        if each.speed and each.speed.lower() not in _SPEEDS:
            losses.append(
                Loss(
                    _place(configuration, each.name),
                    f"the speed {each.speed} of {each.name}",
                    "left out: it is negotiated",
                )
            )
        blocks.append(Hardware(names[each.name], each.shutdown, speed, duplex))
    made = replace(
        configuration,
        hardware=tuple(blocks),
        interfaces=tuple(
            replace(each, hardware=names[each.hardware]) for each in configuration.interfaces
        ),
    )
    return made, tuple(losses)


def _block_name(hardware: Hardware) -> str:
    if hardware.trunk:
        trunk, vlan = hardware.trunk, hardware.name.removeprefix("vlan")
        return f"{_capital(trunk)}.{vlan}"
    return _capital(hardware.name)


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def as_lines(configuration: Configuration) -> tuple[Configuration, tuple[Loss, ...]]:
    """Interfaces that are blocks as the lines of a version before 7.0.

    Args:
        configuration: of 7.0 or later.
    """
    losses: list[Loss] = []
    names = _line_names(configuration)
    lines: list[Hardware] = []
    named = {each.hardware for each in configuration.interfaces}
    for each in configuration.hardware:
        name, place = names[each.name], _place(configuration, each.name)
        if each.vlan is not None:
            sub = _SUB.fullmatch(each.name)
            trunk = names.get(sub[1], sub[1].lower()) if sub else "ethernet0"
            lines.append(Hardware(name, each.shutdown, "logical", trunk=trunk))
        elif each.name in named or not each.shutdown:
            lines.append(Hardware(name, each.shutdown, _old_speed(each)))
        if name != each.name.lower() and each.vlan is None:
            losses.append(Loss(place, f"an interface called {each.name}", f"it becomes {name}"))
        if each.description:
            losses.append(Loss(place, f"the description of {each.name}", "left out"))
    interfaces = []
    for interface in configuration.interfaces:
        level = _old_level(interface)
        if level != interface.level:
            losses.append(
                Loss(
                    interface.place,
                    f"security level {interface.level} of `{interface.name}`",
                    f"it becomes {level}: only `outside` has 0 there, and only `inside` 100",
                )
            )
        if interface.standby:
            losses.append(
                Loss(interface.place, f"the standby address of `{interface.name}`", "left out")
            )
        interfaces.append(
            replace(interface, hardware=names[interface.hardware], level=level, standby=None)
        )
    made = replace(configuration, hardware=tuple(lines), interfaces=tuple(interfaces))
    return made, tuple(losses)


def _line_names(configuration: Configuration) -> dict[str, str]:
    """What each hardware interface is called before 7.0."""
    names: dict[str, str] = {}
    plain = [each for each in configuration.hardware if each.vlan is None]
    for each in plain:
        if _OLD_NAME.fullmatch(each.name) and each.name.lower().startswith(("ethernet", "gb-")):
            names[each.name] = each.name.lower()
    number = 0
    for each in plain:
        if each.name not in names:
            while f"ethernet{number}" in names.values():
                number += 1
            names[each.name] = f"ethernet{number}"
    for each in configuration.hardware:
        if each.vlan is not None:
            names[each.name] = f"vlan{each.vlan}"
    return names


def _old_level(interface: Interface) -> int:
    if interface.name in _RESERVED:
        return _RESERVED[interface.name]
    return min(max(interface.level, 1), 99)


def _old_speed(hardware: Hardware) -> str:
    both = (hardware.speed, hardware.duplex)
    return next((old for old, new in _SPEEDS.items() if new == both), "auto")


def _place(configuration: Configuration, hardware: str) -> Place | None:
    return next(
        (each.place for each in configuration.interfaces if each.hardware == hardware), None
    )
