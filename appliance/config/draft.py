"""The configuration while its commands are being read, one by one, in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

from appliance.config.helpers import Helped, defaults
from appliance.config.kept import KeptLines
from appliance.config.language import DEFAULT, Language
from appliance.config.model import (
    DEFAULT_FACILITY,
    AccessGroup,
    Alias,
    Apply,
    ClassMap,
    Established,
    Fixup,
    FlowLog,
    Global,
    GroupKind,
    Hardware,
    IcmpRule,
    LogHost,
    Member,
    Name,
    NamedObject,
    Nat,
    ObjectGroup,
    Outbound,
    Part,
    PolicyClass,
    PolicyMap,
    RegexClass,
    Route,
    Rule,
    ServicePolicy,
    Static,
    Timeout,
    TimeRange,
    Version,
)
from appliance.config.objects import TwiceNat
from appliance.errors import Finding, Place, Severity
from appliance.smtp.esmtp_map import EsmtpClass, EsmtpMap, Row
from appliance.smtp.expression import Expression

T = TypeVar("T")

DEFAULT_SMTP_PORTS = ((25, 25),)

FixupKey: TypeAlias = tuple[Helped, tuple[int, int]]


def default_fixups(language: Language) -> dict[FixupKey, Fixup]:
    """What is inspected from the start besides mail, in files of a version."""
    return {(each, each.ports): Fixup(each, each.ports) for each in defaults(language)}


@runtime_checkable
class Subject(Protocol):
    """What a mode is about: the handler that opens the mode returns it."""

    @property
    def heading(self) -> str:
        """The line that opens the mode, as it is printed."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place that refers to something by its name.

    Args:
        name: the name.
        place: where the name stands.
    """

    name: str
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class InterfaceName:
    """`nameif` of one hardware interface."""

    hardware: str
    level: int
    place: Place


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """`ip address` of one interface; no address where the device would ask for one (DHCP)."""

    address: IPv4Interface | None
    use: Use
    acquires: str = ""
    standby: IPv4Address | None = None


@dataclass(slots=True)
class HardwareEntry:
    """`interface` of one hardware interface, and from 7.0 on what stands below it.

    Args:
        hardware: what it says of the hardware.
        place: where it stands.
        name: its `nameif`, None where it has none.
        level: its `security-level`, None where none is given.
        address: its `ip address`, None where it has none.
    """

    hardware: Hardware
    place: Place
    name: Use | None = None
    level: int | None = None
    address: InterfaceAddress | None = None

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.hardware.heading


@dataclass(slots=True)
class ClassMapEntry:
    """`class-map`, and the access lists that it names."""

    map: ClassMap
    uses: dict[str, Use] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.map.heading


@dataclass(slots=True)
class PolicyClassEntry:
    """`class` of a policy map, where it stands, and the inspection map that it names."""

    policy_class: PolicyClass
    use: Use
    map_use: Use | None = None

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.policy_class.heading


@dataclass(slots=True)
class PolicyMapEntry:
    """`policy-map`, and its classes by name."""

    name: str
    description: str = ""
    classes: dict[str, PolicyClassEntry] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return PolicyMap(self.name).heading


@dataclass(slots=True)
class RegexClassEntry:
    """`class-map type regex`, and the expressions that it names."""

    name: str
    description: str = ""
    uses: dict[str, Use] = field(default_factory=dict)

    @property
    def regex_class(self) -> RegexClass:
        """What it says so far."""
        return RegexClass(self.name, tuple(self.uses), self.description)

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.regex_class.heading


@dataclass(slots=True)
class EsmtpClassEntry:
    """`class-map type inspect esmtp`, and what its criteria name, by their texts."""

    esmtp_class: EsmtpClass
    uses: dict[str, Use] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.esmtp_class.heading


@dataclass(slots=True)
class RowEntry:
    """`match` or `class` of an inspection map; what it names is still to be looked up.

    Args:
        row: what it says; of a class, its name alone.
        place: where it stands.
        use: the class, the regex or the class of those that it names, None for none.
    """

    row: Row
    place: Place
    use: Use | None = None

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.row.heading


@dataclass(slots=True)
class EsmtpMapEntry:
    """`policy-map type inspect esmtp`, and its matches by the lines that open them.

    Args:
        esmtp_map: what it says besides.
        place: where it stands first.
        rows: its matches.
    """

    esmtp_map: EsmtpMap
    place: Place
    rows: dict[str, RowEntry] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.esmtp_map.heading


@dataclass(frozen=True, slots=True)
class ParametersEntry:
    """`parameters` of an inspection map."""

    entry: EsmtpMapEntry
    heading = "parameters"


@dataclass(frozen=True, slots=True)
class ServicePolicyEntry:
    """`service-policy`, and what it names."""

    policy: ServicePolicy
    map_use: Use
    interface_use: Use | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an access list, or a conduit.

    Args:
        rule: what is written out of it, None for a remark.
        remark: its text, if it is a remark.
        groups: the object groups and objects that it names, by the part that each is.
        interfaces: the interfaces whose own address an end is.
        times: the time range that it names, None for none.
        inactive: whether it is written and not in force.
        families: the ends that are any address of one family, `any4` or `any6`.
    """

    rule: Rule | None
    remark: str = ""
    groups: tuple[tuple[Part, Use], ...] = ()
    interfaces: tuple[tuple[Part, Use], ...] = ()
    times: Use | None = None
    inactive: bool = False
    families: tuple[tuple[Part, str], ...] = ()

    @property
    def is_void(self) -> bool:
        """Whether it matches nothing: it is not in force, or of IPv6."""
        return self.inactive or any(family == "any6" for _, family in self.families)

    @property
    def matched(self) -> Entry:
        """The same without what does not count when a line is looked for: `inactive`, `log`."""
        rule = replace(self.rule, log=None) if self.rule else None
        return replace(self, rule=rule, inactive=False)


@dataclass(slots=True)
class GroupEntry:
    """`object-group`, and what stands below it.

    Args:
        kind: what it is of.
        name: its name.
        protocol: see `ObjectGroup`.
        place: where it stands first.
        description: as written.
        members: what it contains; a dict for its order and for finding one.
    """

    kind: GroupKind
    name: str
    protocol: str
    place: Place
    description: str = ""
    members: dict[Member, None] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return ObjectGroup(self.kind, self.name, self.protocol).heading


@dataclass(slots=True)
class ObjectEntry:
    """`object`, and what stands below it.

    Args:
        named: the object.
        place: where it stands first.
        interfaces: those that its `nat` names.
    """

    named: NamedObject
    place: Place
    interfaces: tuple[Use, ...] = ()

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.named.heading


@dataclass(frozen=True, slots=True)
class TwiceEntry:
    """A `nat` outside of objects, and the interfaces that it names."""

    nat: TwiceNat
    interfaces: tuple[Use, ...]


@dataclass(slots=True)
class TimeRangeEntry:
    """`time-range`, and what stands below it."""

    times: TimeRange
    place: Place

    @property
    def heading(self) -> str:
        """The line that opens its block."""
        return self.times.heading


Claim: TypeAlias = tuple[str, IPv4Network | None, int | None, int, str]
"""What belongs to one static only: mapped interface, network, protocol, port and access list."""


@dataclass(frozen=True, slots=True)
class StaticEntry:
    """A `static`, and the interfaces it names."""

    static: Static
    real_use: Use
    mapped_use: Use
    list_use: Use | None = None


@dataclass(frozen=True, slots=True)
class NatEntry:
    """A `nat`, and what it names."""

    nat: Nat
    use: Use
    list_use: Use | None


@dataclass(frozen=True, slots=True)
class Bound(Generic[T]):
    """A command about an interface.

    Args:
        item: what it says.
        use: the interface that it names.
    """

    item: T
    use: Use


class DeviceId(Enum):
    """What `logging device-id` names the firewall by."""

    HOSTNAME = "hostname"
    ADDRESS = "ipaddress"
    TEXT = "string"


@dataclass(frozen=True, slots=True)
class LogHostEntry:
    """A `logging host`.

    Args:
        host: the server.
        interface: the interface it names, None for none.
        place: where it stands.
    """

    host: LogHost
    interface: Use | None
    place: Place


@dataclass(frozen=True, slots=True)
class Note:
    """That a command has no effect here.

    Args:
        words: its keywords.
        help: what it does on a device.
        place: where it stands first.
    """

    words: str
    help: str
    place: Place


@dataclass(slots=True)
class Draft:
    """All that the commands read so far have said; handlers change it, `freeze` ends it.

    `kept` has the lines of commands that are not done, and `gaps` what does not happen, by the
    keywords of those that are not implemented. `refused` has what lines with errors may be meant
    to define: keywords of a command, None where they are unknown, and a name. `definitions` has
    the same of lines without errors, and where the name stands first, and `mentions` all words
    that may refer to one.
    """

    language: Language = DEFAULT
    hostname: str = "pixfirewall"
    version: Version | None = None
    version_place: Place | None = None
    names_enabled: bool = True
    names: dict[str, Name] = field(default_factory=dict)
    interface_names: dict[str, InterfaceName] = field(default_factory=dict)
    hardware: dict[str, HardwareEntry] = field(default_factory=dict)
    addresses: dict[str, InterfaceAddress] = field(default_factory=dict)
    statics: dict[Claim, StaticEntry] = field(default_factory=dict)
    access_lists: dict[str, list[Entry]] = field(default_factory=dict)
    access_groups: dict[tuple[str, bool], tuple[AccessGroup, Use, Use | None]] = field(
        default_factory=dict
    )
    nats: list[NatEntry] = field(default_factory=list)
    globals: list[Bound[Global]] = field(default_factory=list)
    outbounds: list[Outbound] = field(default_factory=list)
    applied: list[Bound[Apply]] = field(default_factory=list)
    aliases: list[Bound[Alias]] = field(default_factory=list)
    established: list[Established] = field(default_factory=list)
    icmp_rules: list[Bound[IcmpRule]] = field(default_factory=list)
    verified: dict[str, Use] = field(default_factory=dict)
    silent: dict[str, Use] = field(default_factory=dict)
    equals_place: Place | None = None
    hairpins_place: Place | None = None
    timeouts: dict[tuple[str, str], Timeout] = field(default_factory=dict)
    conduits: list[Entry] = field(default_factory=list)
    object_groups: dict[str, GroupEntry] = field(default_factory=dict)
    objects: dict[str, ObjectEntry] = field(default_factory=dict)
    twice_nats: list[TwiceEntry] = field(default_factory=list)
    standard_lists: dict[str, dict[str, Place]] = field(default_factory=dict)
    time_ranges: dict[str, TimeRangeEntry] = field(default_factory=dict)
    flow_log: FlowLog = field(default_factory=FlowLog)
    smtp_ports: tuple[tuple[int, int], ...] = DEFAULT_SMTP_PORTS
    fixups: dict[FixupKey, Fixup] = field(init=False)
    mail_hosts: list[IPv4Address] = field(default_factory=list)
    nat_control: bool = False
    class_maps: dict[str, ClassMapEntry] = field(default_factory=dict)
    policy_maps: dict[str, PolicyMapEntry] = field(default_factory=dict)
    service_policies: dict[str, ServicePolicyEntry] = field(default_factory=dict)
    regexes: dict[str, Expression] = field(default_factory=dict)
    regex_classes: dict[str, RegexClassEntry] = field(default_factory=dict)
    esmtp_classes: dict[str, EsmtpClassEntry] = field(default_factory=dict)
    esmtp_maps: dict[str, EsmtpMapEntry] = field(default_factory=dict)
    routes: list[tuple[Route, Use]] = field(default_factory=list)
    logging_on: bool = False
    logging_levels: dict[str, int] = field(default_factory=dict)
    log_hosts: dict[IPv4Address, LogHostEntry] = field(default_factory=dict)
    log_facility: int = DEFAULT_FACILITY
    log_timestamp: bool = False
    log_permit_host_down: bool = False
    log_device_id: tuple[DeviceId, Use] | None = None
    log_disabled: set[int] = field(default_factory=set)
    log_severities: dict[int, int] = field(default_factory=dict)
    kept: KeptLines = field(default_factory=KeptLines)
    notes: dict[str, Note] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)
    refused: set[tuple[str | None, str]] = field(default_factory=set)
    definitions: dict[tuple[str, str], Place] = field(default_factory=dict)
    mentions: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fixups = default_fixups(self.language)

    def usable_names(self) -> dict[str, IPv4Address]:
        """The names that may stand for addresses."""
        return {n.name: n.address for n in self.names.values()} if self.names_enabled else {}

    def note(self, words: str, help: str, place: Place) -> None:
        """Note that a command has no effect here, the first time."""
        self.notes.setdefault(words, Note(words, help, place))

    def is_excused(self, words: str, name: str) -> bool:
        """Whether a line with an error may be why a name is not defined: no second error then.

        Args:
            words: keywords of the command that defines such names, or the first of them.
            name: the name.
        """
        return any(
            each == name and (of is None or of == words or of.startswith(f"{words} "))
            for of, each in self.refused
        )

    def is_any_refused(self, words: str) -> bool:
        """Whether a command with these keywords stands in a line with an error."""
        return any(each == words for each, _ in self.refused)

    def inform(self, place: Place, text: str) -> None:
        """Note what the device tells of a command that it takes, in the device's own words."""
        self.findings.append(Finding(place, text, severity=Severity.INFO))

    def warn(self, place: Place, problem: str, remedy: str) -> None:
        """Note what the user must know, though the file is usable."""
        self.findings.append(Finding(place, problem, remedy, severity=Severity.WARNING))

    def network(self, place: Place, address: IPv4Address, prefix: int) -> IPv4Network:
        """The network of an address under a netmask, with a warning if that hides some of it.

        Args:
            place: where the address stands.
            address: the address.
            prefix: the length of the netmask.
        """
        network = IPv4Network((address, prefix), strict=False)
        if address != network.network_address:
            self.warn_of_host_bits(place, address, network)
        return network

    def warn_of_host_bits(self, place: Place, address: IPv4Address, network: IPv4Network) -> None:
        """Note that an address has bits that its netmask leaves out of the network."""
        self.warn(
            place,
            f"{address} has host bits under its netmask",
            f"it is read as the network {network.with_netmask.replace('/', ' ')}",
        )

    def refuse(self, place: Place, problem: str, remedy: str) -> None:
        """Note an error that is seen only at the end."""
        self.findings.append(Finding(place, problem, remedy))
