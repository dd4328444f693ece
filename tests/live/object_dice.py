"""Random rule files of 8.3 and later, and random packets that they may let through."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from appliance.admission import Opening
from appliance.config.load import read_rules
from appliance.config.model import Configuration, Ports
from appliance.errors import FindingsError
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.ways import Block, Way
from tests.live.dice import ADDRESSES, OWN, PLACES, PORTS, SEVEN, SPOOFED, Dice
from tests.live.router import LINUX

HOSTS = {
    "mail": "10.1.1.5",
    "web": "10.1.1.6",
    "other": "10.1.1.9",
    "server": "172.16.1.5",
    "relay": "172.16.1.9",
    "client": "198.18.0.1",
    "peer": "198.18.7.7",
    "out-5": "203.0.113.5",
    "out-6": "203.0.113.6",
    "out-9": "203.0.113.9",
    "far-9": "198.51.100.9",
    "dmz-21": "172.16.1.21",
    "in-21": "10.1.1.21",
    "out-50": "203.0.113.50",
}
BLOCKS = {
    "lan": "subnet 10.1.1.0 255.255.255.0",
    "eight": "subnet 10.1.1.8 255.255.255.248",
    "dmz-net": "subnet 172.16.1.0 255.255.255.0",
    "world": "subnet 198.18.0.0 255.255.0.0",
    "all": "subnet 0.0.0.0 0.0.0.0",
    "out-eight": "subnet 203.0.113.8 255.255.255.248",
    "far-eight": "subnet 198.51.100.8 255.255.255.248",
    "in-range": "range 10.1.1.5 10.1.1.6",
    "out-range": "range 203.0.113.5 203.0.113.6",
    "dmz-range": "range 172.16.1.41 172.16.1.42",
}
POOLS = {
    "pool": "range 203.0.113.40 203.0.113.44",
    "far-pool": "range 198.51.100.60 198.51.100.62",
    "dmz-pool": "range 172.16.1.40 172.16.1.41",
    "in-pool": "range 10.1.1.40 10.1.1.47",
}
SERVICES = {
    "from-smtp": "tcp source eq smtp",
    "from-2525": "tcp source eq 2525",
    "from-80": "tcp source eq www",
    "to-smtp": "tcp destination eq smtp",
    "to-80": "tcp destination eq www",
    "to-2525": "tcp destination eq 2525",
    "to-low": "tcp destination range 20 26",
    "to-high": "tcp destination range 2520 2526",
    "from-low": "tcp source range 24 26",
    "from-high": "tcp source range 2524 2526",
    "udp-24": "udp destination eq 24",
    "both": "tcp-udp destination eq 80",
    "echo": "icmp echo",
}
REAL = ["mail", "web", "other", "server", "relay", "lan", "eight", "dmz-net", "in-range"]
OUTER = ["client", "peer", "world"]
FAR = ["out-5", "out-6", "out-9", "far-9", "dmz-21", "in-21", "out-eight", "far-eight"]
FAR += ["out-range", "dmz-range"]
BY_INTERFACE = {
    "inside": ["mail", "mail", "web", "other", "eight", "in-range", "lan"],
    "dmz": ["server", "relay", "dmz-net", "dmz-range"],
    "outside": ["client", "peer", "world"],
}


class ObjectDice(Dice):
    """Draws rule files of 8.3 and later, and packets.

    Args:
        seed: the same seed draws the same.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seven = self.eight = True
        self.nine = self.random() < 0.5
        self._nat: ObjectTranslations | None = None
        self._ways: tuple[Way, ...] = ()

    def text(self) -> str:
        """A rule file."""
        version = "ASA Version 9.1(2)" if self.nine else "ASA Version 8.4(1)"
        where = self.choice(["global", "global", "interface outside"])
        text = SEVEN.format(version=version, level=self.choice([50, 50, 100, 0]), where=where)
        values = {name: f"host {address}" for name, address in HOSTS.items()} | BLOCKS | POOLS
        for name, value in values.items():
            text += f"object network {name}\n {value}\n"
        for name, service in SERVICES.items():
            text += f"object service {name}\n service {service}\n"
        text += "object-group network inner\n network-object object mail\n"
        text += "object-group network inner\n network-object object server\n"
        text += "object-group network far\n network-object object far-9\n"
        text += "object-group network far\n network-object host 203.0.113.6\n"
        text += "object-group network shared\n network-object object out-50\n"
        text += "object-group network shared\n network-object object pool\n"
        text += "".join(f"{line}\n" for line in self.object_groups())
        lines = self.chosen("same-security-traffic permit inter-interface", 0.7)
        lines += self.chosen("same-security-traffic permit intra-interface", 0.4)
        lines += [self.twice() for _ in range(self.randint(0, 6))]
        lines += [self.object_nat() for _ in range(self.randint(0, 7))]
        for name in LINUX:
            for direction, chance in (("in", 0.5), ("out", 0.25)):
                if self.random() < chance:
                    lines += self.access_list(f"{name}-{direction}")
                    lines.append(f"access-group {name}-{direction} {direction} interface {name}")
            lines += self.chosen(f"ip verify reverse-path interface {name}", 0.15)
            lines += self.chosen(f"sysopt noproxyarp {name}", 0.2)
        if self.random() < 0.5:
            lines += [*self.access_list("everywhere"), "access-group everywhere global"]
        lines += self.later_members()
        for line in lines:
            longer = f"{text}{line}\n"
            text = longer if _is_good(longer) else text
        return text

    def access_list(self, name: str) -> list[str]:
        count = self.randint(1, 7)
        lines = [f"access-list {name} {self.rule()}{self.tail()}" for _ in range(count)]
        return [*lines, *self.chosen(f"access-list {name} permit ip any any", 0.6)]

    def pair(self) -> tuple[str, str]:
        """The interfaces of a `nat`."""
        usual = [
            ("inside", "outside"),
            ("inside", "outside"),
            ("inside", "dmz"),
            ("dmz", "outside"),
        ]
        sides = [*LINUX, "any"]
        return self.choice([*usual, (self.choice(sides), self.choice(sides))])

    def flags(self, *words: str) -> str:
        return "".join(f" {word}" for word in words if self.random() < 0.15)

    def inner(self, interface: str) -> str:
        """Something behind an interface."""
        if self.random() < 0.1:
            return self.choice(["inner", "hosts", "nets"])
        return self.choice(BY_INTERFACE.get(interface, [*REAL, *OUTER]))

    def outer(self, real: str) -> str:
        """What something may become, one to one."""
        return self.choice([real, self.choice(FAR), self.choice(FAR), "far"])

    def twice(self) -> str:
        real_side, mapped_side = self.pair()
        line = f"nat ({real_side},{mapped_side})"
        line += self.choice(["", "", "", " 1", " after-auto"])
        real = self.inner(real_side)
        if self.random() < 0.6:
            mapped = self.outer(real)
            if self.random() < 0.15:
                mapped = "interface"
            if self.random() < 0.1:
                real = mapped = "any"
            line += f" source static {real} {mapped}"
            services = [("from-smtp", "from-2525"), ("from-2525", "from-80")]
            services += [("from-smtp", "from-smtp"), ("to-low", "to-low")]
            services += [("from-low", "from-high")]
        else:
            real = self.choice([real, "any"])
            line += f" source dynamic {real} {self.dynamic()}"
            services = [("to-low", "to-low")]
        if self.random() < 0.5:
            behind = self.inner(mapped_side)
            addressed = self.choice([behind, behind, self.choice(FAR), "interface"])
            line += f" destination static {addressed} {behind}"
            services += [("to-80", "to-smtp"), ("both", "both"), ("to-smtp", "to-2525")]
            services += [("to-low", "to-high")]
        if self.random() < 0.35:
            line += f" service {' '.join(self.choice(services))}"
        return line + self.flags("no-proxy-arp", "route-lookup", "unidirectional", "inactive")

    def dynamic(self) -> str:
        """What sources become for a time."""
        pool = self.choice([*POOLS, "pool", "shared", "out-50"])
        own = self.choice(["", " interface"])
        return self.choice([f"{pool}{own}", f"pat-pool {pool}{own}", "interface", "interface"])

    def object_nat(self) -> str:
        real_side, mapped_side = self.pair()
        name = self.choice(BY_INTERFACE.get(real_side, REAL))
        form = f"dynamic {self.dynamic()}"
        if self.random() < 0.6:
            mapped = self.outer(name)
            address = HOSTS.get(mapped, "203.0.113.5")
            form = f"static {self.choice([mapped, mapped, address, 'interface'])}"
            form += self.flags("no-proxy-arp", "route-lookup")
            if self.random() < 0.35:
                protocol = self.choice(["tcp", "tcp", "udp"])
                form += f" service {protocol} {self.choice(PORTS)} {self.choice(PORTS)}"
        elif "shared" in form:
            form = "dynamic 203.0.113.50"
        return f"object network {name}\n nat ({real_side},{mapped_side}) {form}"

    def hosts(self) -> str:
        if self.random() < 0.3:
            return f"network-object object {self.choice([*HOSTS])}"
        return super().hosts()

    def service_object(self) -> str:
        if self.random() < 0.3:
            return f"service-object object {self.choice([*SERVICES])}"
        return (
            super()
            .service_object()
            .replace(" eq", " destination eq")
            .replace("source destination", "source")
        )

    def network(self) -> str:
        named = f"object {self.choice([*HOSTS, *HOSTS, *BLOCKS])}"
        if self.nine and self.random() < 0.1:
            return self.choice(["any4", "any4", "any6"])
        return self.choice([named, super().network(), super().network()])

    def rule(self) -> str:
        if self.random() < 0.15:
            action = self.choice(["permit", "permit", "deny"])
            service = self.choice([*SERVICES])
            return f"{action} object {service} {self.network()} {self.network()}"
        return super().rule()

    def opening(self, number: int, rules: Configuration) -> Opening:
        """A packet, more often than not one that a `nat` may translate, to an address of a host."""
        if self._nat is None:
            self._nat = ObjectTranslations(rules, Routing(rules))
            self._ways = self._nat.ways
        while True:
            packet = self.packet(number)
            way = self._nat.of_destination(packet)
            real = way.destination(packet)[0] if way else packet.destination
            if 0 < int(real) & 0xFF < 0xFF:
                return packet

    def packet(self, number: int) -> Opening:
        ingress = self.choice(sorted(PLACES))
        source, destination = self.choice(PLACES[ingress]), self.choice(ADDRESSES)
        own_port = 10000 + number
        ports = [own_port, self.choice(PORTS)]
        protocol = self.choice([6, 6, 6, 17, 1, 47])
        if self._ways and self.random() < 0.75:
            way = self.choice(self._ways)
            ingress = way.ingress
            source = self.choice(PLACES[ingress])
            destination = self.choice(PLACES[way.egress])
            if way.sources and self.random() < 0.8:
                source = self.of_block(self.choice(way.sources), source)
            if way.destinations and self.random() < 0.9:
                destination = self.of_block(self.choice(way.destinations), destination)
            if way.changes:
                change = self.choice(way.changes)
                protocol = change.protocol
                ports[0] = self.port(change.source, ports[0])
                ports[1] = self.port(change.destination, ports[1])
        elif self.random() < 0.1:
            source = self.choice(SPOOFED)
        if ports[0] != own_port and ports[1] in PORTS and self.random() < 0.9:
            ports[1] = 20000 + number  # or it might be the way back of a flow that came in
        if protocol == 47 and ingress != self.portless_side:
            protocol = 6
        if protocol == 47 or source in OWN.values():
            # Of two hosts that share an address, only one can speak to a third without ports.
            source = PLACES[ingress][0]
        if protocol not in (6, 17):
            ports = [0, 0]
        return Opening(
            protocol,
            IPv4Address(source),
            ports[0],
            IPv4Address(destination),
            ports[1],
            self.choice([8, 8, 13]) if protocol == 1 else -1,
            ingress,
        )

    def of_block(self, block: Block, usual: str) -> str:
        """An address of a block; the usual one of a large one that has it."""
        network: IPv4Network = block.before
        if network.prefixlen < 24:
            return usual
        if network.prefixlen == 24:
            return str(network[self.randint(1, 254)])
        return str(network[self.randrange(network.num_addresses)])

    def port(self, ports: tuple[Ports, Ports] | None, usual: int) -> int:
        if ports is None or self.random() < 0.1:
            return usual
        return self.choice([port for low, high in ports[0].ranges() for port in (low, high)])


def _is_good(text: str) -> bool:
    """Whether a rule file can be used."""
    configuration = read_rules(text, "").configuration
    if configuration is None:
        return False
    try:
        ObjectTranslations(configuration, Routing(configuration))
    except FindingsError:
        return False
    return True
