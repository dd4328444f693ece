"""What the appliance changes on the machine besides netfilter rules, and how it is put back.

`wanted_settings` says what a configuration needs; `Changes` makes only what the machine lacks,
and writes to a journal how to undo it *before* it does so, so that the next start can undo what
a killed one left behind.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from appliance.box import Box
from appliance.config.language import OBJECTS
from appliance.config.model import Configuration
from appliance.errors import Finding, FindingsError, PixguardError, Place
from appliance.live.command import ip
from appliance.live.state import write
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.translation import Translations

ROUTE_PROTOCOL = 200
"""Marks our routes as ours; rtnetlink.h leaves the numbers from 5 on to those who set routes."""

MAX_MAPPED = 65536
"""Mapped addresses that are answered for: each takes a route and a neighbour entry."""

PROC_SYS = Path("/proc/sys")

_CONNTRACK = "net/netfilter/"
"""Where the parameters of connection tracking are, once rules have made the kernel load it."""


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel parameter: its path under /proc/sys, and the value it shall have."""

    path: str
    value: str
    kind: Literal["sysctl"] = "sysctl"


@dataclass(frozen=True, slots=True)
class Address:
    """An address with its prefix length ("192.0.2.1/24") on a Linux interface."""

    interface: str
    address: str
    kind: Literal["address"] = "address"


@dataclass(frozen=True, slots=True)
class Route:
    """A route to a network ("192.0.2.0/24") by a Linux interface; no gateway is ""."""

    interface: str
    network: str
    gateway: str
    metric: int
    kind: Literal["route"] = "route"


@dataclass(frozen=True, slots=True)
class ProxyNeighbour:
    """An address that ARP requests are answered for on a Linux interface."""

    interface: str
    address: str
    kind: Literal["neighbour"] = "neighbour"


Setting: TypeAlias = Sysctl | Address | Route | ProxyNeighbour


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that was made; for a sysctl, with the value that it had before."""

    setting: Annotated[Setting, Field(discriminator="kind")]
    before: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """What to undo, and the boot (kernel.random.boot_id) that it was done in."""

    boot: str
    changes: tuple[Change, ...]


_JOURNAL = TypeAdapter(Journal)

_TIMEOUTS = {
    "conn": ("tcp_timeout_established",),
    # The end that has closed waits in FIN_WAIT, the other in CLOSE_WAIT.
    "half-closed": ("tcp_timeout_fin_wait", "tcp_timeout_close_wait"),
    "udp": ("udp_timeout", "udp_timeout_stream"),
    "icmp": ("icmp_timeout",),
}
"""The parameters of connection tracking that `timeout` sets."""

_LONGEST = 2_000_000
"""Seconds: the kernel counts them in jiffies of 32 bits, up to 1,000 a second."""

LIBERAL = Sysctl(f"{_CONNTRACK}nf_conntrack_tcp_be_liberal", "1")
"""Connection tracking sees packets before they are edited: where lengths change, numbers of the one
end that the other has never had would be INVALID to it."""


def wanted_settings(configuration: Configuration, box: Box, liberal: bool) -> tuple[Setting, ...]:
    """What a configuration needs of the machine, in the order in which it is to be made.

    Args:
        configuration: what the rule file says.
        box: which Linux interfaces there are.
        liberal: whether the firewall changes the length of what it forwards.

    Raises:
        FindingsError: a static cannot translate anything as written, or maps too many addresses.
    """
    routing = Routing(configuration)
    linux = {name: interface for name, interface in box.interfaces if routing.interface(name)}
    settings: list[Setting] = [
        Address(linux[each.name], f"{each.address}/{each.network.prefixlen}")
        for each in configuration.interfaces
        if each.name in linux and each.address and each.network
    ]
    settings += [
        Route(linux[route.interface], str(route.network), str(route.gateway), route.metric)
        for route in configuration.routes
        if route.interface in linux
    ]
    if configuration.language >= OBJECTS:
        mapped = _of_objects(ObjectTranslations(configuration, routing), linux)
    else:
        mapped = _mapped(Translations(configuration, routing), linux)
    answering = _answered(configuration, routing, mapped, linux)
    # The kernel answers for an address only if its route leaves by another interface.
    settings += [Route(inner, f"{address}/32", "", 0) for (_, address), inner in answering.items()]
    settings += [ProxyNeighbour(outer, address) for outer, address in answering]
    settings += [
        Sysctl(f"net/ipv4/neigh/{outer}/proxy_delay", "0")
        for outer in dict.fromkeys(outer for outer, _ in answering)
    ]
    # Or conntrack takes up connections in the middle.
    settings.append(Sysctl(f"{_CONNTRACK}nf_conntrack_tcp_loose", "0"))
    if liberal:
        settings.append(LIBERAL)
    settings += _idle_times(configuration)
    # Not net.ipv4.ip_forward, which would make every interface of the machine forward.
    settings += [Sysctl(f"net/ipv4/conf/{each}/forwarding", "1") for each in linux.values()]
    return tuple(settings)


def _idle_times(configuration: Configuration) -> Iterator[Sysctl]:
    """How long the kernel lets connections be idle: what `timeout` states, and nothing else."""
    for name, parameters in _TIMEOUTS.items():
        seconds = configuration.idle(name)
        if seconds is not None:
            value = str(min(seconds or _LONGEST, _LONGEST))
            yield from (Sysctl(f"{_CONNTRACK}nf_conntrack_{each}", value) for each in parameters)


def _answered(
    configuration: Configuration,
    routing: Routing,
    mapped: Iterable[_Block],
    linux: dict[str, str],
) -> dict[tuple[str, str], str]:
    """Pairs of an outer interface and an address to answer for, and the interface behind it."""
    # What others on the network, or we, have already must never be routed inwards.
    taken = {str(route.gateway) for route in configuration.routes}
    for interface in configuration.interfaces:
        if interface.network and interface.network.prefixlen < 31:
            taken.add(str(interface.network.network_address))
            taken.add(str(interface.network.broadcast_address))
    answered: dict[tuple[str, str], str] = {}
    for block in mapped:
        if block.outer in configuration.silent:
            continue
        if len(answered) + block.size > MAX_MAPPED:
            problem = f"more than {MAX_MAPPED} mapped addresses"
            raise FindingsError((Finding(block.place, problem, "translate smaller networks"),))
        for place in range(block.size):
            address = block.first + place
            if str(address) not in taken and not routing.owner(address):
                answered.setdefault((linux[block.outer], str(address)), linux[block.inner])
    return answered


@dataclass(frozen=True, slots=True)
class _Block:
    """Addresses that only the firewall answers to, and the interfaces on both sides of it."""

    first: IPv4Address
    size: int
    outer: str
    inner: str
    place: Place


def _of_objects(ways: ObjectTranslations, linux: Container[str]) -> Iterator[_Block]:
    for each in ways.stand_ins:
        apart = each.interface != each.inner
        if each.answers and apart and each.interface in linux and each.inner in linux:
            size = int(each.last) - int(each.first) + 1
            yield _Block(each.first, size, each.interface, each.inner, each.place)


def _mapped(translations: Translations, linux: Container[str]) -> Iterator[_Block]:
    for each in translations.between(linux):
        if each.stands_in and each.static.real_interface != each.static.mapped_interface:
            ends = (each.static.mapped_interface, each.static.real_interface)
            yield _Block(
                each.mapped.network_address, each.mapped.num_addresses, *ends, each.static.place
            )
    for written, pool in translations.stand_ins:
        inner = next(
            (
                nat.nat.interface
                for nat in translations.nats
                if nat.nat.number == written.number and nat.nat.interface != written.interface
            ),
            "",
        )
        if inner in linux and written.interface in linux:
            size = int(pool.last) - int(pool.first) + 1
            yield _Block(pool.first, size, written.interface, inner, written.place)


class Changes:
    """What was changed on this machine, so that it can be undone.

    Args:
        journal: where it is kept; read if it is there.

    Raises:
        PixguardError: the journal cannot be read.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._boot = _read_sysctl("kernel/random/boot_id")
        self._made = self._load()

    def apply(self, wanted: Sequence[Setting]) -> None:
        """Undo what is no longer wanted, and make what is wanted and not there.

        Args:
            wanted: all settings, in the order in which to make them.

        Raises:
            PixguardError: the machine refused; what was made so far is in the journal.
        """
        kept = set(wanted)
        self._undo([change for change in self._made if change.setting not in kept])
        missing = self.missing(wanted)
        made = {change.setting: change for change in self._made}
        for each in missing:
            if each not in made:
                before = _read_sysctl(each.path) if isinstance(each, Sysctl) else ""
                made[each] = Change(each, before)
        # In the order in which they depend on each other, for the way back.
        self._save([made[setting] for setting in wanted if setting in made])
        _ip_batch(_command(each, "add") for each in missing if not isinstance(each, Sysctl))
        for each in missing:
            if isinstance(each, Sysctl):
                _write_sysctl(each.path, each.value)

    def missing(self, wanted: Sequence[Setting]) -> list[Setting]:
        """What of the wanted settings the machine lacks; it is not changed.

        Args:
            wanted: all settings.

        Raises:
            PixguardError: one of them cannot be made, and why.
        """
        present = _Present()
        missing = [setting for setting in wanted if not present.has(setting)]
        for setting in missing:
            present.check(setting)
        return missing

    def include(self, setting: Setting) -> bool:
        """Whether a setting is one of them.

        Args:
            setting: the setting.
        """
        return any(change.setting == setting for change in self._made)

    def restore(self) -> bool:
        """Undo everything in reverse order; what somebody else has changed since stays.

        Returns:
            whether there was anything to undo.

        Raises:
            PixguardError: the machine refused; the journal stays.
        """
        undone = bool(self._made)
        self._undo(self._made)
        return undone

    def _undo(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        for change in reversed(changes):
            setting = change.setting
            if isinstance(setting, Sysctl) and _current(setting) == setting.value:
                _write_sysctl(setting.path, change.before)
        settings = [change.setting for change in reversed(changes)]
        present = _Present()
        _ip_batch(
            _command(each, "delete")
            for each in settings
            if not isinstance(each, Sysctl) and present.has_ours(each)
        )
        self._save([change for change in self._made if change not in changes])

    def _load(self) -> list[Change]:
        try:
            journal = _JOURNAL.validate_json(self._journal.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PixguardError(f"{self._journal}: cannot read it: {error.strerror}") from error
        except ValidationError as error:
            raise PixguardError(
                f"{self._journal}: is damaged ({error.errors()[0]['msg']}); it says how to undo "
                "what an earlier run changed: put that back by hand and remove the file"
            ) from error
        # After a reboot there is nothing left to undo.
        return list(journal.changes) if journal.boot == self._boot else []

    def _save(self, changes: list[Change]) -> None:
        try:
            if changes:
                self._journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                journal = Journal(self._boot, tuple(changes))
                write(self._journal, json.dumps(asdict(journal), indent=1), lasting=True)
            else:
                self._journal.unlink(missing_ok=True)
        except OSError as error:
            raise PixguardError(f"{self._journal}: cannot write it: {error.strerror}") from error
        self._made = changes


class _Present:
    """The addresses, routes and proxy neighbours that the machine has."""

    def __init__(self) -> None:
        self._links: dict[str, dict[str, Any]] = {
            link["ifname"]: link for link in _ip_json("address", "show")
        }
        self._routes: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for route in _ip_json("-N", "-4", "route", "show", "table", "main"):
            self._routes[_network(route)].append(route)
        self._neighbours = {
            (each["dev"], each["dst"]) for each in _ip_json("-4", "neighbour", "show", "proxy")
        }

    def has(self, setting: Setting) -> bool:
        """Whether the machine is as the setting wants it."""
        match setting:
            case Sysctl():
                return _current(setting) == setting.value
            case Address():
                return setting.address in self._addresses(setting.interface)
            case ProxyNeighbour():
                return (setting.interface, setting.address) in self._neighbours
            case Route():
                return bool(self._same(setting))

    def has_ours(self, setting: Setting) -> bool:
        """Whether the machine has it still as we made it."""
        if not isinstance(setting, Route):
            return self.has(setting)
        return any(route["protocol"] == str(ROUTE_PROTOCOL) for route in self._same(setting))

    def _same(self, setting: Route) -> list[dict[str, Any]]:
        """The routes of the machine that lead where the setting does."""
        path = (setting.gateway, setting.interface)
        routes = self._routes.get(setting.network, [])
        return [each for each in routes if (each.get("gateway", ""), each.get("dev", "")) == path]

    def check(self, setting: Setting) -> None:
        """Say why a setting that is not there cannot be made.

        Raises:
            PixguardError: the interface lacks, or something else stands in its way.
        """
        if isinstance(setting, Sysctl):
            if not setting.path.startswith(_CONNTRACK):
                _read_sysctl(setting.path)
            return
        link = self._links.get(setting.interface)
        if link is None:
            raise PixguardError(f"this machine has no interface {setting.interface}")
        if "UP" not in link["flags"]:
            raise PixguardError(
                f"interface {setting.interface} is down: ip link set dev {setting.interface} up"
            )
        if isinstance(setting, Address):
            address = setting.address.split("/")[0]
            for other in self._addresses(setting.interface):
                if other.split("/")[0] == address:
                    raise PixguardError(
                        f"interface {setting.interface} has the address {other}, "
                        f"the rule file says {setting.address}"
                    )
        if isinstance(setting, Route):
            for route in self._routes.get(setting.network, []):
                if route.get("metric", 0) <= setting.metric:
                    raise PixguardError(
                        f"this machine has another route to {setting.network}, "
                        f"by {route.get('dev', 'no interface')}: remove it, "
                        "or give the rule file the same"
                    )

    def _addresses(self, interface: str) -> list[str]:
        found = self._links.get(interface, {}).get("addr_info", [])
        return [
            f"{each['local']}/{each['prefixlen']}" for each in found if each["family"] == "inet"
        ]


def _network(route: dict[str, Any]) -> str:
    network = str(route["dst"]).replace("default", "0.0.0.0/0")
    return network if "/" in network else f"{network}/32"


def _command(setting: Address | Route | ProxyNeighbour, verb: str) -> str:
    match setting:
        case Address():
            return f"address {verb} {setting.address} dev {setting.interface}"
        case ProxyNeighbour():
            return f"neighbour {verb} proxy {setting.address} dev {setting.interface}"
        case Route():
            via = f" via {setting.gateway}" if setting.gateway else ""
            return (
                f"route {verb} {setting.network}{via} dev {setting.interface} "
                f"metric {setting.metric} protocol {ROUTE_PROTOCOL}"
            )


def _current(setting: Sysctl) -> str | None:
    """The value that a parameter has; None if it is gone, as with its interface."""
    try:
        return _read_sysctl(setting.path)
    except PixguardError:
        return None


def _read_sysctl(path: str) -> str:
    try:
        return (PROC_SYS / path).read_text().strip()
    except OSError as error:
        raise PixguardError(f"cannot read the kernel parameter {path}: {error.strerror}") from error


def _write_sysctl(path: str, value: str) -> None:
    try:
        (PROC_SYS / path).write_text(value)
    except OSError as error:
        raise PixguardError(
            f"cannot set the kernel parameter {path} to {value}: {error.strerror}"
        ) from error


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    # An empty list is printed as such, as nothing, or with empty objects, as versions differ.
    return [entry for entry in json.loads(ip("-j", *arguments) or "[]") if entry]


def _ip_batch(commands: Iterable[str]) -> None:
    lines = "".join(f"{command}\n" for command in commands)
    if lines:
        ip("-batch", "-", stdin=lines)
