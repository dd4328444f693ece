"""Random rule files, and random packets that they may let through."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from appliance.admission import Opening
from appliance.config.load import read_rules
from appliance.config.model import Configuration, Static
from tests.live.router import LINUX

PLACES = {
    "outside": ["198.18.0.1", "198.18.7.7", "203.0.113.9"],
    "inside": ["10.1.1.5", "10.1.1.6", "10.1.1.9", "10.1.1.77"],
    "dmz": ["172.16.1.5", "172.16.1.9", "172.16.1.77"],
}
MAPPED = ["203.0.113.5", "203.0.113.6", "203.0.113.9", "198.51.100.9", "172.16.1.21"]
POOLED = ["203.0.113.40", "203.0.113.43", "172.16.1.40", "10.1.1.40", "10.1.1.44"]
SPOOFED = ["10.1.1.5", "172.16.1.5", "198.18.0.1", "203.0.113.5"]
ADDRESSES = sorted(
    {*MAPPED, *POOLED, *itertools.chain(*PLACES.values()), "203.0.113.1", "203.0.113.78"}
)
BLOCKS = ["203.0.113.0 255.255.255.248", "10.1.1.0 255.255.255.0"]
BLOCKS += ["203.0.113.40 255.255.255.252", "203.0.113.32 255.255.255.240"]
PORTS = [24, 25, 26, 80, 2525]
OWN = {"outside": "203.0.113.1", "inside": "10.1.1.1", "dmz": "172.16.1.1"}
PAIRS = [(one, other) for one in LINUX for other in LINUX if one != other]
TIME_RANGES = ["always", "over", "begun", "workdays", "mornings"]
PORTLESS = [47, 50]
INWARDS = [("outside", "inside"), ("outside", "dmz"), ("dmz", "inside")]

SIX = """\
nameif ethernet0 outside security0
nameif ethernet1 inside security100
nameif ethernet2 dmz security50
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
ip address dmz 172.16.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
"""

SEVEN = """\
{version}
interface Ethernet0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet1
 nameif inside
 ip address 10.1.1.1 255.255.255.0
interface Ethernet2
 nameif dmz
 security-level {level}
 ip address 172.16.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
class-map inspection_default
 match default-inspection-traffic
policy-map global_policy
 class inspection_default
  inspect esmtp
service-policy global_policy {where}
"""


TIMES = """\
time-range always
 periodic daily 0:00 to 23:59
time-range over
 absolute end 12:00 1 January 2020
time-range begun
 absolute start 12:00 1 January 2020
time-range workdays
 periodic weekdays 0:00 to 23:59
time-range mornings
 periodic daily 0:00 to 11:59
"""


class Dice(random.Random):
    """Draws rule files and packets.

    Args:
        seed: the same seed draws the same.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.groups: dict[str, list[str]] = {}
        # So that all else is drawn as without them.
        self._aliases = random.Random(seed)  # noqa: S311
        # Flows without ports meet their own way back, so they all begin on one side.
        self.portless_side = self.choice(sorted(PLACES))
        self.seven = self.random() < 0.5
        self.eight = self.seven and self.random() < 0.5

    def text(self) -> str:
        """A rule file."""
        text, lines = SIX, []
        if self.seven:
            version = "ASA Version 8.2(1)" if self.eight else "PIX Version 7.2(1)"
            where = self.choice(["global", "interface outside"])
            level = self.choice([50, 50, 100, 0])
            text = SEVEN.format(version=version, level=level, where=where)
            lines += self.chosen("nat-control", 0.5)
            lines += self.chosen("same-security-traffic permit inter-interface", 0.7)
            lines += self.chosen("same-security-traffic permit intra-interface", 0.4)
            text += TIMES
        text += "".join(f"{line}\n" for line in self.object_groups())
        lines += [self.static() for _ in range(self.randint(0, 6))]
        for number in range(self.randint(0, 3)):
            lines += self.policy_static(number)
        lines += [self.alias() for _ in range(self._aliases.choice([0, 0, 1, 2]))]
        lines += self.pools()
        if not self.seven:
            lines += [f"conduit {self.rule()}" for _ in range(self.randint(0, 5))]
            lines += self.chosen("conduit permit ip any any", 0.6)
            lines += self.outbounds()
            lines.append(self.choice(["", "no fixup protocol smtp 25", "fixup protocol smtp 80"]))
        for name in LINUX:
            for direction, chance in (("in", 0.4), ("out", 0.3 if self.seven else 0)):
                if self.random() < chance:
                    chosen = f"{name}-{direction}"
                    lines += [
                        f"access-list {chosen} {self.rule()}{self.tail()}"
                        for _ in range(self.randint(1, 7))
                    ]
                    lines += self.chosen(f"access-list {chosen} permit ip any any", 0.5)
                    lines.append(f"access-group {chosen} {direction} interface {name}")
            lines += self.chosen(f"ip verify reverse-path interface {name}", 0.2)
            lines += self.chosen(f"sysopt noproxyarp {name}", 0.2)
            lines += self.chosen(f"icmp deny any {name}", 0.1)
        lines += self.later_members()
        for line in lines:
            longer = f"{text}{line}\n"
            # A device refuses a static that would take what another has.
            text = longer if read_rules(longer, "").configuration else text
        return text

    def chosen(self, line: str, chance: float) -> list[str]:
        return [line] if self.random() < chance else []

    def object_groups(self) -> list[str]:
        """Groups of every kind, each with one that contains it.

        They become known to the rules that are drawn after.
        """
        made = [
            self.group("network", "hosts", self.hosts),
            self.group("network", "nets", self.host_or_block),
            self.group("service", "tcp-ports", self.port_object, " tcp"),
            self.group("service", "udp-ports", self.port_object, " udp"),
            self.group("service", "both-ports", self.port_object, " tcp-udp"),
            self.group("protocol", "transport", lambda: self.protocol_object(["tcp", "udp"])),
            self.group(
                "protocol",
                "protocols",
                lambda: self.protocol_object(["tcp", "udp", "icmp", "gre", "ip"]),
            ),
            self.group(
                "icmp-type",
                "types",
                lambda: f"icmp-object {self.choice(['echo', 'timestamp-request', '3', '255'])}",
            ),
        ]
        if self.eight:
            made.append(self.group("service", "services", self.service_object))
        return [line for lines in made for line in lines]

    def group(
        self, kind: str, name: str, member: Callable[[], str], protocol: str = ""
    ) -> list[str]:
        """A group, and one around it."""
        self.groups.setdefault(f"{kind}{protocol}", []).extend([name, f"around-{name}"])
        own = [f" {member()}" for _ in range(self.randint(1, 2))]
        more = [f" {member()}" for _ in range(self.randint(0, 1))]
        around = [f"object-group {kind} around-{name}{protocol}", f" group-object {name}", *more]
        return [f"object-group {kind} {name}{protocol}", *own, *around]

    def named(self, kind: str) -> str:
        """A group of a kind."""
        return f"object-group {self.choice(self.groups[kind])}"

    def later_members(self) -> list[str]:
        """Members that groups get after what names them."""
        if self.random() < 0.6:
            return []
        members = [("network", "nets", self.host_or_block()), ("network", "hosts", self.hosts())]
        kind, name, member = self.choice(members)
        return [f"object-group {kind} {name}\n {member}"]

    def hosts(self) -> str:
        return f"network-object host {self.choice(ADDRESSES)}"

    def host_or_block(self) -> str:
        return self.choice([self.hosts(), f"network-object {self.choice(BLOCKS)}"])

    def port_object(self) -> str:
        if self.random() < 0.3:
            return f"port-object range {self.randint(20, 25)} {self.randint(25, 90)}"
        return f"port-object eq {self.choice(PORTS)}"

    def protocol_object(self, protocols: list[str]) -> str:
        return f"protocol-object {self.choice(protocols)}"

    def service_object(self) -> str:
        protocol = self.choice(["tcp", "udp", "tcp-udp", "tcp-udp", "icmp", "gre", "ip"])
        if protocol == "icmp":
            return f"service-object icmp{self.choice(['', ' echo', ' timestamp-request'])}"
        if protocol in ("gre", "ip"):
            return f"service-object {protocol}"
        source, destination = self.comparison(), self.comparison()
        source = f" source{source}" if source else ""
        return f"service-object {protocol}{source}{destination}"

    def static(self) -> str:
        pairs = [("inside", "outside"), ("inside", "dmz"), ("dmz", "outside")]
        real, mapped = self.choice(pairs)
        if self.random() < 0.25:
            real, mapped = self.choice([*PAIRS, *PAIRS, *((name, name) for name in LINUX)])
        pair, host = f"({real},{mapped})", self.choice(PLACES[real])
        outers = {
            "outside": MAPPED[:4],
            "dmz": ["172.16.1.21", "172.16.1.22"],
            "inside": ["10.1.1.21", "10.1.1.22"],
        }
        outer = self.choice(outers[mapped])
        match self.choice(["host", "host", "port", "port", "interface", "network", "identity"]):
            case "host":
                limits = self.choice(["", "", " 900 0", " 0 900"])
                return f"static {pair} {outer} {host} netmask 255.255.255.255{limits}"
            case "identity":
                return f"static {pair} {host} {host} netmask 255.255.255.255"
            case "network":
                inner = {"inside": "10.1.1.8", "dmz": "172.16.1.8", "outside": "198.18.0.0"}[real]
                blocks = {
                    "outside": ["203.0.113.8", "198.51.100.8"],
                    "dmz": ["172.16.1.32"],
                    "inside": ["10.1.1.32"],
                }
                block = self.choice(blocks[mapped])
                return f"static {pair} {block} {inner} netmask 255.255.255.248"
            case form:
                address = "interface" if form == "interface" else outer
                protocol = self.choice(["tcp", "tcp", "udp"])
                real_port = f"{host} {self.choice(PORTS)}"
                return f"static {pair} {protocol} {address} {self.choice(PORTS)} {real_port}"

    def policy_static(self, number: int) -> list[str]:
        """A static with an access list."""
        real, mapped = self.choice([("inside", "outside"), ("dmz", "outside"), *PAIRS])
        outer = self.choice(
            {"outside": MAPPED[:4], "dmz": MAPPED[4:], "inside": ["10.1.1.21"]}[mapped]
        )
        name, pair = f"policy-{number}", f"({real},{mapped})"
        hosts = self.sample(PLACES[real], 2)
        peers = ["any", *(f"host {address}" for address in PLACES[mapped])]
        peers += [self.named("network"), f"interface {mapped}"]
        if self.random() < 0.5:
            lines = [
                f"access-list {name} permit ip host {h} {self.choice(peers)}{self.tail()}"
                for h in hosts
            ]
            return [*lines, f"static {pair} {outer} access-list {name}"]
        lines = [
            f"access-list {name} permit tcp host {h} eq {self.choice(PORTS)} {self.choice(peers)}"
            for h in hosts
        ]
        form = f"tcp {self.choice([outer, 'interface'])} {self.choice(PORTS)}"
        return [*lines, f"static {pair} {form} access-list {name}"]

    def alias(self) -> str:
        """A host or a network that one side reaches by other addresses."""
        draw = self._aliases
        side = draw.choice(["inside", "inside", "dmz", "outside"])
        alternates = {
            "inside": ["10.1.1.21", "203.0.113.9", "198.51.100.9", "192.0.2.9"],
            "dmz": ["172.16.1.21", "203.0.113.9", "192.0.2.9"],
            "outside": ["203.0.113.6", "198.51.100.9"],
        }
        if draw.random() < 0.3:
            foreign = draw.choice(["10.1.1.8", "172.16.1.8", "198.18.0.0"])
            alternate = draw.choice(["198.51.100.8", "192.0.2.8"])
            return f"alias ({side}) {alternate} {foreign} 255.255.255.248"
        others = [name for name in LINUX if name != side]
        foreign = draw.choice(PLACES[draw.choice([*others, *others, side])])
        mask = draw.choice(["", " 255.255.255.255"])
        return f"alias ({side}) {draw.choice(alternates[side])} {foreign}{mask}"

    def aliased(self, rules: Configuration) -> tuple[str, str, str]:
        """Where a packet comes in that an alias may translate, its source and its destination."""
        draw = self._aliases
        alias = draw.choice(rules.aliases)
        if draw.random() < 0.6:
            ingress, destination = alias.interface, str(draw.choice(list(alias.alternate)))
            return ingress, draw.choice(PLACES[ingress]), destination
        ingress = draw.choice([name for name in LINUX if name != alias.interface])
        source = str(draw.choice(list(alias.foreign)))
        return ingress, source, draw.choice(PLACES[alias.interface])

    def pools(self) -> list[str]:
        """Some `nat` and `global`."""
        lines = []
        for number in range(self.randint(0, 4)):
            side = self.choice(["inside", "inside", "dmz", "outside"])
            identity = self.random() < 0.3
            outside = " outside" if self.random() < (0.6 if side != "inside" else 0.1) else ""
            pool = 0 if identity else self.randint(1, 3)
            if self.random() < 0.45:
                rules = [self.rule() for _ in range(self.randint(1, 3))]
                rules = [self.towards_list(rule) for rule in rules]
                lines += [f"access-list nat-{number} {rule}{self.tail()}" for rule in rules]
                lines.append(f"nat ({side}) {pool} access-list nat-{number}{outside}")
                continue
            network = self.choice(
                {
                    "inside": ["10.1.1.0 255.255.255.0", "10.1.1.8 255.255.255.248", "0 0"],
                    "dmz": ["172.16.1.0 255.255.255.0", "172.16.1.9 255.255.255.255", "0 0"],
                    "outside": ["0 0", "198.18.0.0 255.255.0.0"],
                }[side]
            )
            lines.append(f"nat ({side}) {pool} {network}{outside}")
        addresses = {
            "outside": ["203.0.113.40-203.0.113.44", "203.0.113.50", "198.51.100.60-198.51.100.62"],
            "dmz": ["172.16.1.40-172.16.1.41", "172.16.1.50"],
            "inside": ["10.1.1.40-10.1.1.47", "10.1.1.50"],
        }
        for _ in range(self.randint(0, 5)):
            side = self.choice(["outside", "outside", "dmz", "inside"])
            written = self.choice([*addresses[side], "interface"])
            lines.append(f"global ({side}) {self.randint(1, 3)} {written}")
        return lines

    def towards_list(self, rule: str) -> str:
        """Half of the lists of `nat` are by addresses alone, as they mostly are."""
        if self.random() < 0.5:
            return rule
        inner = self.choice(["any", "10.1.1.0 255.255.255.0", "172.16.1.0 255.255.255.0"])
        outer = self.choice(["any", "198.18.0.0 255.255.0.0", "172.16.1.0 255.255.255.0"])
        return f"{self.choice(['permit', 'permit', 'deny'])} ip {inner} {outer}"

    def outbounds(self) -> list[str]:
        lines = []
        for number in range(1, 1 + self.choice([0, 0, 1, 2])):
            for _ in range(self.randint(1, 4)):
                address = self.choice(
                    [
                        "0 0",
                        "10.1.1.0 255.255.255.0",
                        "10.1.1.5 255.255.255.255",
                        "198.18.0.0 255.255.0.0",
                        "172.16.1.5 255.255.255.255",
                    ]
                )
                action = self.choice(["permit", "deny", "deny", "except"])
                tail = self.choice(["", " 25 tcp", " 80", " 20-30 udp", " 0 icmp"])
                lines.append(f"outbound {number} {action} {address}{tail}")
            side = self.choice(["inside", "inside", "dmz"])
            lines.append(
                f"apply ({side}) {number} {self.choice(['outgoing_src', 'outgoing_dest'])}"
            )
        return lines

    def rule(self) -> str:
        """A rule of an access list, or a conduit: they differ in what the networks mean."""
        action = self.choice(["permit", "permit", "deny"])
        if self.random() < 0.3:
            return f"{action} {self.broad()}"
        protocol = self.choice(
            ["ip", "tcp", "tcp", "tcp", "udp", "icmp", "gre", "esp", "group", "group"]
        )
        one, other, end = self.network(), self.network(), ""
        if protocol in ("tcp", "udp"):
            one, other = one + self.ports(protocol), other + self.ports(protocol)
        elif protocol == "icmp":
            end = self.choice(["", " echo", " timestamp-request", " unreachable"])
            end = self.choice([end, end, f" {self.named('icmp-type')}"])
        elif protocol == "group":
            protocol = self.named("protocol")
            if self.eight and self.random() < 0.5:
                protocol = self.named("service")
            elif protocol.endswith("transport") and self.random() < 0.6:
                one, other = one + self.ports("tcp-udp"), other + self.ports("tcp-udp")
        return f"{action} {protocol} {one} {other}{end}"

    def broad(self) -> str:
        """A rule that one group narrows, so that its members decide of many packets."""
        protocol = self.choice(["tcp", "tcp", "udp"])
        group = self.named(f"service {self.choice([protocol, 'tcp-udp'])}")
        forms = [
            f"{protocol} any any {group}",
            f"{protocol} any {group} any",
            f"icmp any any {self.named('icmp-type')}",
            f"{self.named('protocol')} any any",
            f"ip {self.named('network')} any",
            f"ip any {self.named('network')}",
        ]
        forms += [f"{self.named('service')} any any"] * 3 if self.eight else []
        return self.choice(forms)

    def tail(self) -> str:
        """What may stand at the end of a rule of an access list."""
        log = self.choice(["", "", "", " log", " log disable", " log default", " log 4 interval 9"])
        if not self.seven:
            return log
        times = ["", "", "", *(f" time-range {name}" for name in TIME_RANGES)]
        return log + self.choice(times) + (" inactive" if self.random() < 0.2 else "")

    def network(self) -> str:
        host = f"host {self.choice([*MAPPED, *MAPPED, *ADDRESSES])}"
        block, group = self.choice(BLOCKS), self.named("network")
        interface = f"interface {self.choice([*LINUX])}"
        return self.choice(
            ["any", "any", "any", "any", host, host, host, block, group, group, interface]
        )

    def ports(self, protocol: str) -> str:
        """Ports that a rule compares, maybe by a group.

        Args:
            protocol: "tcp", "udp" or "tcp-udp".
        """
        if self.random() < 0.2:
            group = self.named(f"service {self.choice([protocol, 'tcp-udp'])}")
            return f" {group}"
        return self.comparison()

    def comparison(self) -> str:
        operator = self.choice(["", "", "", "eq", "neq", "lt", "gt", "range"])
        if operator == "range":
            return f" range {self.randint(20, 25)} {self.randint(25, 90)}"
        return f" {operator} {self.choice(PORTS)}" if operator else ""

    def openings(self, rules: Configuration, count: int) -> dict[int, Opening]:
        """Packets numbered from 1, none of which could belong to a flow that another begins.

        Args:
            rules: what is to judge them.
            count: how many are drawn; a few are left out.
        """
        drawn = (self.opening(number, rules) for number in range(1, count + 1))
        return dict(_distinct(drawn))

    def opening(self, number: int, rules: Configuration) -> Opening:
        """A packet, more often than not one that a static may translate.

        Args:
            number: makes its source port its own, unless a static has that port.
            rules: the rule file's.
        """
        statics = [static for static in rules.statics if not static.access_list]
        static: Static | None = self.choice(statics) if statics else None
        protocol = (static.protocol if static else None) or self.choice([6, 6, 6, 17, 1, *PORTLESS])
        ingress = self.choice(sorted(PLACES))
        source, destination = self.choice(PLACES[ingress]), self.choice(ADDRESSES)
        own_port = 10000 + number
        ports = [own_port, self.choice(PORTS)]
        match self.choice(["inbound", "inbound", "outbound", "outbound", "any", "any", "spoofed"]):
            case "inbound" if static:
                ingress = static.mapped_interface
                mapped = static.mapped or IPv4Network(OWN[ingress])
                source, destination = self.choice(PLACES[ingress]), str(self.choice(list(mapped)))
                ports[1] = static.mapped_port or ports[1]
            case "outbound" if static:
                ingress = static.real_interface
                source = str(self.choice(list(static.real)))
                ports[0] = static.real_port or self.choice([ports[0], *PORTS])
            case "outbound":
                ingress = self.choice(["inside", "inside", "dmz"])
                source = self.choice(PLACES[ingress])
                destination = self.choice(PLACES[self.choice(["outside", "dmz"])])
            case "spoofed":
                source = self.choice(SPOOFED)
        if rules.aliases and self._aliases.random() < 0.3:
            ingress, source, destination = self.aliased(rules)
        if ports[0] != own_port:
            ports[1] = 20000 + number  # or it might be the way back of a flow that came in
        if protocol in PORTLESS and ingress != self.portless_side:
            protocol = 6
        if protocol not in (6, 17):
            ports = [0, 0]
        return Opening(
            protocol,
            IPv4Address(source),
            ports[0],
            IPv4Address(destination),
            ports[1],
            self.choice([8, 8, 13, 17]) if protocol == 1 else -1,
            ingress,
        )


def _distinct(openings: Iterable[Opening]) -> Iterator[tuple[int, Opening]]:
    """Numbered, without those that could belong to a flow that another began."""
    begun: set[tuple[object, ...]] = set()
    for number, opening in enumerate(openings, 1):
        # Not by destination, since two may be mapped addresses and ports of one server.
        flow = (opening.protocol, opening.source_port or opening.source)
        if opening.protocol == 1 or flow not in begun:
            begun.add(flow)
            yield number, opening
