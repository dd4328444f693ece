"""The rules that give connections the kernel's helpers, and let in what these expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.model import Fixup
from appliance.live import connmark
from appliance.live.matching import PERMITTED, match_address, port_module
from appliance.live.table import Chain, Table
from appliance.policy.translation import Translation

EXPECTED = Chain(
    "PIXGUARD-EXPECTED",
    (
        f"-j CONNMARK --set-xmark "
        f"0x0/{connmark.INSPECTED | connmark.ANSWERED | connmark.WORKER:#x}",
        "-j ACCEPT",
    ),
)
"""A connection that a helper expects has the mark of its master, but is never read as mail."""


@dataclass(frozen=True, slots=True)
class Helpers:
    """What the kernel's helpers read.

    Args:
        fixups: it, as the rule file says, but what the kernel has no helper for.
        linux: names of Linux interfaces by names of interfaces.
        own: addresses of the firewall itself, by names of interfaces.
        statics: the translations that tell a server's real port.
    """

    fixups: Sequence[Fixup]
    linux: Mapping[str, str]
    own: Mapping[str, IPv4Address]
    statics: Sequence[Translation]

    def expected(self) -> list[str]:
        """Rules that let in what the helpers of permitted connections expect."""
        matches = dict.fromkeys(
            f"{way}-m conntrack --ctstate RELATED {PERMITTED} -m helper --helper {helper}"
            for fixup in self.fixups
            for way in self._ways(fixup)
            for helper in (fixup.helped.helper, *fixup.helped.further)
        )
        return [f"{match} -j {EXPECTED.name}" for match in matches]

    def _ways(self, fixup: Fixup) -> list[str]:
        """Matches of what comes in or goes out where a fixup is in force."""
        if not fixup.interface:
            return [""]
        linux = self.linux.get(fixup.interface)
        return [f"-i {linux} ", f"-o {linux} "] if linux else []

    def raw(self) -> Table:
        """Gives helpers to what comes in by our interfaces, by the real port of the server."""
        fixups = dict.fromkeys((f.helped, f.ports) for f in self.fixups if self._ways(f))
        if not fixups:
            return Table("raw")
        redirected: list[str] = []
        elsewhere: list[str] = []
        others: list[str] = []
        for helped, (low, high) in fixups:
            target = f"-j CT --helper {helped.helper}"
            for each in self.statics:
                protocol, port = each.static.protocol, each.static.mapped_port
                if protocol == helped.protocol:
                    matched = f"{self._addressed(each)} {_to_ports(protocol, port, port)}"
                    if low <= each.real_port <= high:
                        redirected.append(f"{matched} {target}")
                    elif low <= port <= high:
                        elsewhere.append(f"{matched} -j RETURN")
                elif protocol is None and self._is_own(each):
                    matched = f"{self._addressed(each)} {_to_ports(helped.protocol, low, high)}"
                    redirected.append(f"{matched} {target}")
            # What is sent to the machine itself is none of ours.
            matched = f"{_to_ports(helped.protocol, low, high)} -m addrtype ! --dst-type LOCAL"
            others.append(f"{matched} {target}")
        entrance = tuple(f"-i {linux} -j PIXGUARD-HELPERS" for linux in self.linux.values())
        chains = (
            Chain("PIXGUARD-RAW", entrance),
            Chain("PIXGUARD-HELPERS", (*redirected, *elsewhere, *others)),
        )
        return Table("raw", (("PREROUTING", "PIXGUARD-RAW"),), chains)

    def _is_own(self, translation: Translation) -> bool:
        """Whether a static takes what is sent to the address of the interface itself."""
        own = self.own.get(translation.static.mapped_interface)
        return own is not None and own in translation.mapped

    def _addressed(self, translation: Translation) -> str:
        """Matches what is sent to the mapped address of a static."""
        linux = self.linux[translation.static.mapped_interface]
        peers = match_address(" -s", translation.peers)
        return f"-i {linux} -d {translation.mapped}{peers}"


def _to_ports(protocol: int, low: int, high: int) -> str:
    return f"-p {protocol} -m {port_module(protocol)} --dport {low}:{high}"
