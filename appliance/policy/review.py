"""What in a configuration can do nothing, though nothing of it is wrong by itself.

Names that nothing refers to, rules that no packet reaches, and translations and permits that lack
the other one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import chain
from typing import Generic, TypeVar

from appliance.admission import Opening
from appliance.config.language import OBJECTS
from appliance.config.model import ANY, AccessList, Configuration, Rule, RuleLine, elementary
from appliance.config.rules import printed_network
from appliance.errors import Finding, FindingsError, Place
from appliance.events import Denial
from appliance.policy import object_review
from appliance.policy.alias import naming
from appliance.policy.policy import Phase, Policy
from appliance.policy.routing import Routing
from appliance.policy.shadow import Shadow, shadows
from appliance.policy.translation import Translation, Translations
from appliance.policy.unused import unused, warning
from appliance.protocol import ICMP, TCP
from appliance.smtp.release import DEFAULT

_ECHO = 8
_CLIENT = IPv4Address("192.0.2.1")  # of a network for documentation (RFC 5737): no one's address
_CLIENT_PORT = 1024
_NOWHERE = frozenset((Denial.NO_TRANSLATION_INBOUND, Denial.NO_ROUTE, Denial.OWN_ADDRESS))


def review(configuration: Configuration) -> tuple[Finding, ...]:
    """Warnings for what has no effect, and errors for what cannot be translated as written.

    Args:
        configuration: what a rule file says, free of other errors.

    Returns:
        the findings in the order of the file, without the text of their lines.
    """
    found = [*unused(configuration), *_for_names(configuration), *_pooled(configuration)]
    lists = {each.name: each.rules for each in configuration.access_lists}
    lists[""] = elementary(configuration.conduits)
    shadowed = {name: tuple(shadows(rules)) for name, rules in lists.items()}
    found += [_shadow(each) for line in shadowed.values() for each in line]
    dead = {
        (rule.place, rule) for each in shadowed.values() for shadow in each for rule in shadow.rules
    }
    try:
        if configuration.language < OBJECTS:
            found += _Reach(configuration, dead).findings()
        else:
            found += object_review.shadowed(configuration)
    except FindingsError as error:
        found += error.findings
    return tuple(
        sorted(dict.fromkeys(found), key=lambda each: (each.place.line, each.place.column))
    )


def _for_names(configuration: Configuration) -> Iterator[Finding]:
    for alias in configuration.aliases:
        if static := naming(alias, configuration):
            yield warning(
                alias.place,
                f"nothing is done for this alias: {_plain(alias.alternate)} is the real address of "
                f"the static in line {static.place.line}",
                "such an alias is for DNS answers alone, which stay as they are here",
            )


def _pooled(configuration: Configuration) -> Iterator[Finding]:
    """`established` where hosts have their addresses from a `global`."""
    used = {each.number for each in configuration.nats}
    pools = [each for each in configuration.globals if each.number in used]
    for line in configuration.established if pools else ():
        yield warning(
            line.place,
            f"nothing comes back to addresses of the `global` in line {pools[0].place.line}",
            "only hosts that a `static` or `nat 0` speaks of, or nothing translates, are come "
            "back to",
        )


def _shadow(shadow: Shadow) -> Finding:
    rule = shadow.rules[0]
    lines = ", ".join(str(each.place.line) for each in shadow.by)
    which = f"line{'s' if len(shadow.by) > 1 else ''} {lines}"
    does = "permit" if rule.permit else "deny"
    if any(each.permit != rule.permit for each in shadow.by):
        other = "denied" if rule.permit else "permitted"
        return warning(
            rule.place,
            f"no packet gets as far as this line: {which} before it takes all that it would {does}",
            f"it contradicts {which}, by which it is {other}: write it before that, or remove it",
        )
    return warning(
        rule.place,
        f"no packet gets as far as this line: {which} before it does the same to all that it takes",
        "it is redundant: remove it",
    )


_Kept = TypeVar("_Kept")


class _ByNetwork(Generic[_Kept]):
    """Things by their network, so that those which overlap another one are found at once."""

    def __init__(self) -> None:
        self._networks: dict[IPv4Network, list[_Kept]] = {}

    def __iter__(self) -> Iterator[_Kept]:
        return chain.from_iterable(self._networks.values())

    def add(self, network: IPv4Network, kept: _Kept) -> None:
        """Add one."""
        self._networks.setdefault(network, []).append(kept)

    def overlapping(self, network: IPv4Network) -> Iterator[_Kept]:
        """Those of networks that have addresses in common with this one."""
        for length in range(network.prefixlen + 1):
            yield from self._networks.get(network.supernet(new_prefix=length), ())
        if network.prefixlen < network.max_prefixlen:
            for other, kept in self._networks.items():
                if other.prefixlen > network.prefixlen and other.subnet_of(network):
                    yield from kept


class _Reach:
    """Whether rules and translations let each other's packets through.

    Args:
        configuration: what the rule file says.
        dead: rules that no packet reaches.

    Raises:
        FindingsError: a static that cannot translate anything as written.
    """

    def __init__(self, configuration: Configuration, dead: set[tuple[Place, Rule]]) -> None:
        self._configuration = configuration
        routing = Routing(configuration)
        self._levels = {each.name: each.level for each in configuration.interfaces}
        names = self._levels.keys()
        self._translations = Translations(configuration, routing).between(names)
        self._mapped: dict[str, _ByNetwork[Translation]] = {name: _ByNetwork() for name in names}
        for each in self._translations:
            self._mapped[each.static.mapped_interface].add(each.mapped, each)
        lists = {each.name: each for each in configuration.access_lists}
        self._bound = {
            group.interface: lists[group.access_list]
            for group in configuration.access_groups
            if not group.out
        }
        rules = {"": elementary(configuration.conduits)}
        rules |= {interface: bound.rules for interface, bound in self._bound.items()}
        self._permits: dict[str, _ByNetwork[Rule]] = {}
        for interface, listed in rules.items():
            permits = self._permits[interface] = _ByNetwork()
            for rule in listed:
                if rule.permit and (rule.place, rule) not in dead:
                    permits.add(rule.destination, rule)
        self._open = Policy(_permitting(configuration), DEFAULT)
        self._within = [each.network for each in configuration.interfaces if each.network] + [
            each.network for each in configuration.routes
        ]

    def findings(self) -> Iterator[Finding]:
        """What lacks a permit, and what lacks a translation."""
        for translation in self._translations:
            yield from self._unpermitted(translation)
        for interface in self._bound:
            for rule in self._permits[interface]:
                if self._is_untranslated(rule, (interface,)):
                    yield _untranslated(rule, interface)
        bare = tuple(
            each.name for each in self._configuration.interfaces if each.name not in self._bound
        )
        for rule in self._permits[""]:
            if bare and self._is_untranslated(rule, bare):
                yield _untranslated(rule, "outside" if "outside" in bare else bare[0])

    def _unpermitted(self, translation: Translation) -> Iterator[Finding]:
        static, outer = translation.static, translation.static.mapped_interface
        if translation.mapped == static.real:
            return  # what keeps its addresses is written for what goes out, too
        bound = self._bound.get(outer)
        if not bound and self._levels[outer] > self._levels[static.real_interface]:
            return  # it passes without a rule
        permits = self._permits[outer if bound else ""]
        if any(_permits(rule, translation) for rule in permits.overlapping(translation.mapped)):
            return
        where = printed_network(translation.mapped)
        if bound:
            line = f"access-list {bound.name} permit tcp any {where} eq PORT"
        else:
            line = f"access-list LIST permit tcp any {where} eq PORT` and `access-group LIST in "
            line += f"interface {outer}"
        yield warning(
            static.place,
            f"no rule lets anything that comes in by {outer} reach {_plain(translation.mapped)}",
            f"only what {_plain(static.real)} begins uses this {translation.command}; if more "
            f"should, write `{line}`",
        )

    def _is_untranslated(self, rule: Rule, interfaces: Iterable[str]) -> bool:
        """Whether nothing that a rule permits passes, for want of a translation of where it goes.

        Args:
            rule: the rule.
            interfaces: those whose packets it judges.
        """
        if any(
            _permits(rule, each)
            for interface in interfaces
            for each in self._mapped[interface].overlapping(rule.destination)
        ):
            return False
        network = rule.destination
        inner = (each for each in self._within if each.subnet_of(network))
        ends = (network[0], network[-1], *(each[min(2, each.num_addresses - 1)] for each in inner))
        decisions = [
            self._open.decide(_witness(rule, interface, address))
            for interface in interfaces
            for address in dict.fromkeys(ends)
        ]
        denied = [
            each.admission.denial
            for each in decisions
            # Where the levels alone let a packet through, no conduit is asked.
            if all(step.phase is not Phase.LEVELS for step in each.steps)
        ]
        return Denial.NO_TRANSLATION_INBOUND in denied and _NOWHERE.issuperset(denied)


def _permitting(configuration: Configuration) -> Configuration:
    """The configuration, but its lists and conduits permit everything."""
    rule = Rule(True, None, ANY, None, ANY, None, None, Place("", 0))
    line = RuleLine(rule, (rule,))
    return replace(
        configuration,
        access_lists=tuple(AccessList(each.name, (line,)) for each in configuration.access_lists),
        conduits=(line,),
    )


def _permits(rule: Rule, translation: Translation) -> bool:
    """Whether a rule for addresses of a translation permits some packets that it translates."""
    static = translation.static
    if static.protocol is None:
        return True
    return rule.protocol in (None, static.protocol) and (
        rule.destination_ports is None or static.mapped_port in rule.destination_ports
    )


def _witness(rule: Rule, ingress: str, destination: IPv4Address) -> Opening:
    """A packet that a rule permits."""
    protocol = rule.protocol or TCP
    source_port, port = _CLIENT_PORT, 0
    if rule.destination_ports and rule.destination_ports.ranges():
        port = rule.destination_ports.ranges()[0][0]
    source = _CLIENT if _CLIENT in rule.source else rule.source[0]
    icmp_type = rule.icmp_type or _ECHO if protocol == ICMP else -1
    return Opening(protocol, source, source_port, destination, port, icmp_type, ingress)


def _untranslated(rule: Rule, interface: str) -> Finding:
    network = rule.destination
    static = f"`static (INTERFACE,{interface}) {network.network_address} ADDRESS`"
    single = network.prefixlen == network.max_prefixlen
    return warning(
        rule.place,
        f"nothing translates {'' if single else 'any address of '}{_plain(network)} for what comes "
        f"in by {interface}: what this line permits to go there does not pass",
        f"write {static if single else 'a `static` for what it should reach'}, or leave it out",
    )


def _plain(network: IPv4Network) -> str:
    return str(network.network_address) if network.prefixlen == 32 else str(network)
