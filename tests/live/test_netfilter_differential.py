"""The kernel, under the rules compiled from a configuration, and the Policy say the same.

Random configurations and random packets: the same verdict, the same way out, the same addresses
and ports, the same answer to whether it is inspected.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest

from appliance.admission import Admission, Opening
from appliance.config.load import read_rules
from appliance.config.model import Configuration, Static
from appliance.live import connmark
from appliance.live.kernel import Changes, wanted_settings
from appliance.live.netfilter import compile_rules, install
from appliance.live.state import journal_file
from appliance.policy.policy import Policy
from appliance.smtp.release import DEFAULT
from tests.live.router import LINUX, Router, Seen, running_router
from tests.namespaces import needs_namespaces
from tests.policy.rules import configuration

pytestmark = needs_namespaces

PLACES = {
    "outside": ["198.18.0.1", "198.18.7.7", "203.0.113.9"],
    "inside": ["10.1.1.5", "10.1.1.6", "10.1.1.9", "10.1.1.77"],
    "dmz": ["172.16.1.5", "172.16.1.9", "172.16.1.77"],
}
MAPPED = ["203.0.113.5", "203.0.113.6", "203.0.113.9", "198.51.100.9", "172.16.1.21"]
ADDRESSES = sorted({*MAPPED, *itertools.chain(*PLACES.values()), "203.0.113.1", "203.0.113.78"})
PORTS = [24, 25, 26, 80, 2525]
FIXED = """\
nameif ethernet0 outside security0
nameif ethernet1 inside security100
nameif ethernet2 dmz security50
ip address outside 203.0.113.1 255.255.255.0
ip address inside 10.1.1.1 255.255.255.0
ip address dmz 172.16.1.1 255.255.255.0
route outside 0 0 203.0.113.254 1
"""


class Dice(random.Random):
    """Draws rule files and packets."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        # Flows without ports meet their own way back, so they all begin on one side.
        self.portless_side = self.choice(sorted(PLACES))

    def text(self) -> str:
        """A rule file."""
        text = FIXED
        for _ in range(self.randint(1, 8)):
            static = f"{text}{self.static()}\n"
            # A device refuses a static that would take what another has.
            text = static if read_rules(static, "").configuration else text
        for _ in range(self.randint(0, 5)):
            text += f"conduit {self.rule()}\n"
        for name in LINUX:
            if self.random() < 0.4:
                for _ in range(self.randint(1, 7)):
                    text += f"access-list {name} {self.rule()}\n"
                text += f"access-group {name} in interface {name}\n"
        return text + self.choice(["", "no fixup protocol smtp 25\n", "fixup protocol smtp 80\n"])

    def static(self) -> str:
        real, mapped = self.choice([("inside", "outside"), ("inside", "dmz"), ("dmz", "outside")])
        pair, host = f"({real},{mapped})", self.choice(PLACES[real])
        outer = self.choice(["172.16.1.21", "172.16.1.22"] if mapped == "dmz" else MAPPED[:4])
        match self.choice(["host", "host", "port", "port", "interface", "network", "identity"]):
            case "host":
                return f"static {pair} {outer} {host} netmask 255.255.255.255"
            case "identity":
                return f"static {pair} {host} {host} netmask 255.255.255.255"
            case "network":
                inner = {"inside": "10.1.1.8", "dmz": "172.16.1.8"}[real]
                blocks = ["172.16.1.32"] if mapped == "dmz" else ["203.0.113.8", "198.51.100.8"]
                return f"static {pair} {self.choice(blocks)} {inner} netmask 255.255.255.248"
            case form:
                address = "interface" if form == "interface" else outer
                protocol = self.choice(["tcp", "tcp", "udp"])
                real_port = f"{host} {self.choice(PORTS)}"
                return f"static {pair} {protocol} {address} {self.choice(PORTS)} {real_port}"

    def rule(self) -> str:
        """A rule of an access list, or a conduit: they differ in what the networks mean."""
        protocol = self.choice(["ip", "tcp", "tcp", "tcp", "udp", "icmp", "gre"])
        one, other, tail = self.network(), self.network(), ""
        if protocol in ("tcp", "udp"):
            one, other = one + self.ports(), other + self.ports()
        elif protocol == "icmp":
            tail = self.choice(["", " echo", " timestamp-request", " unreachable"])
        return f"{self.choice(['permit', 'permit', 'deny'])} {protocol} {one} {other}{tail}"

    def network(self) -> str:
        block = self.choice(["203.0.113.0 255.255.255.248", "10.1.1.0 255.255.255.0"])
        host = f"host {self.choice([*MAPPED, *MAPPED, *ADDRESSES])}"
        return self.choice(["any", "any", "any", host, host, block])

    def ports(self) -> str:
        operator = self.choice(["", "", "", "eq", "neq", "lt", "gt", "range"])
        if operator == "range":
            return f" range {self.randint(20, 25)} {self.randint(25, 90)}"
        return f" {operator} {self.choice(PORTS)}" if operator else ""

    def opening(self, number: int, statics: tuple[Static, ...]) -> Opening:
        """A packet, more often than not one that a static may translate.

        Args:
            number: makes its source port its own, unless a static has that port.
            statics: the rule file's.
        """
        static = self.choice(statics)
        protocol = static.protocol or self.choice([6, 6, 6, 17, 1, 47])
        ingress = self.choice(sorted(PLACES))
        source, destination = self.choice(PLACES[ingress]), self.choice(ADDRESSES)
        ports = [self.choice([10000 + number, 10000 + number, *PORTS]), self.choice(PORTS)]
        match self.choice(["inbound", "inbound", "outbound", "any"]):
            case "inbound":
                ingress = static.mapped_interface
                mapped = static.mapped or IPv4Network("203.0.113.1")
                source, destination = self.choice(PLACES[ingress]), str(self.choice(list(mapped)))
                ports[1] = static.mapped_port or ports[1]
            case "outbound":
                ingress = static.real_interface
                source = str(self.choice(list(static.real)))
                ports[0] = static.real_port or ports[0]
        if ports[0] in PORTS and ingress != static.mapped_interface:
            ports[1] = 20000 + number  # or it might be the way back of a flow that came in
        if protocol == 47 and ingress != self.portless_side:
            protocol = 6
        if protocol not in (6, 17):
            ports = [0, 0]
        return Opening(
            protocol,
            IPv4Address(source),
            ports[0],
            IPv4Address(destination),
            ports[1],
            self.choice([8, 13]) if protocol == 1 else -1,
            ingress,
        )


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with running_router(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.mark.parametrize("seed", range(30))
def test_kernel_and_policy_agree(router: Router, seed: int) -> None:
    dice = Dice(seed)
    text = dice.text()
    rules = configuration(text)
    put_in_force(router, rules)
    judge = Policy(rules, DEFAULT)
    openings = dict(_distinct(dice.opening(number, rules.statics) for number in range(1, 200)))
    router.marks.clear()
    for number, opening in openings.items():
        router.send(opening, number)
    seen = router.collect()
    for number, opening in openings.items():
        decision = judge.decide(opening)
        story = f"{text}\n{opening}\n{decision}\nmark {router.marks.get(number)}"
        admission = decision.admission
        assert seen.get(number) == _expected(admission), story
        assert (number in router.marks) == (admission.inspection is not None), story
        if number in router.marks:
            inner = admission.server if admission.inbound else admission.client
            static = rules.statics[connmark.translation(router.marks[number]) - 1]
            assert inner.address in static.real, story


def _distinct(openings: Iterable[Opening]) -> Iterator[tuple[int, Opening]]:
    """Numbered, without those that could belong to a flow that another began."""
    begun: set[tuple[object, ...]] = set()
    for number, opening in enumerate(openings, 1):
        # Not by destination, since two may be mapped addresses and ports of one server.
        flow = (opening.protocol, opening.source_port or opening.source)
        if opening.protocol == 1 or flow not in begun:
            begun.add(flow)
            yield number, opening


def _expected(admission: Admission) -> Seen | None:
    if admission.denial:
        return None
    client, server = admission.client, admission.server
    return Seen(server.interface, client.mapped, client.mapped_port, server.address, server.port)


def put_in_force(router: Router, rules: Configuration) -> None:
    def put() -> None:
        install(compile_rules(rules, router.box))
        changes = Changes(journal_file(router.box.state))
        changes.apply(wanted_settings(rules, router.box, liberal=False))

    router.flush_connections()
    router.inner.call(put)
