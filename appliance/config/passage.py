"""What passes besides lists: equal levels, sources that cannot be, ICMP and ARP to the firewall."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from appliance.config.command import Command, accepted
from appliance.config.draft import Bound, Draft, Use
from appliance.config.grammar import Argument, Arguments, Keyword, OneOf, Options, Sequence, Text
from appliance.config.kinds import INTERFACE
from appliance.config.language import SEVEN
from appliance.config.model import ANY, Configuration, IcmpRule
from appliance.config.rules import (
    ACTION,
    ICMP_TYPE,
    NETWORK,
    network_of,
    printed_icmp_type,
    printed_network,
)


def _let_pass(passes: bool) -> Callable[[Draft, Arguments], None]:
    def enter(draft: Draft, arguments: Arguments) -> None:
        place = arguments.place if passes else None
        if arguments.get("intra", bool):
            draft.hairpins_place = place
        else:
            draft.equals_place = place

    return enter


def _print_equals(configuration: Configuration) -> Iterator[str]:
    if configuration.equals_pass:
        yield "same-security-traffic permit inter-interface"
    if configuration.hairpins_pass:
        yield "same-security-traffic permit intra-interface"


def _icmp(draft: Draft, arguments: Arguments) -> Bound[IcmpRule]:
    source = ANY if arguments.get("any", bool) else network_of(draft, arguments)
    name = arguments.need("interface", str)
    permit, icmp_type = arguments.need("permit", bool), arguments.get("icmp_type", int)
    return Bound(
        IcmpRule(permit, source, icmp_type, name, arguments.place),
        Use(name, arguments.where("interface")),
    )


def _enter_icmp(draft: Draft, arguments: Arguments) -> None:
    entry = _icmp(draft, arguments)
    if entry.item not in [each.item for each in draft.icmp_rules]:
        draft.icmp_rules.append(entry)


def _undo_icmp(draft: Draft, arguments: Arguments) -> None:
    doomed = _icmp(draft, arguments).item
    draft.icmp_rules = arguments.without(draft.icmp_rules, lambda each: each.item == doomed, "line")


def _print_icmp(configuration: Configuration) -> Iterator[str]:
    for each in configuration.icmp_rules:
        action, source = "permit" if each.permit else "deny", printed_network(each.source)
        kind = "" if each.icmp_type is None else f" {printed_icmp_type(each.icmp_type)}"
        yield f"icmp {action} {source}{kind} {each.interface}"


def _enter_verified(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("interface", str)
    draft.verified[name] = Use(name, arguments.where("interface"))


def _undo_verified(draft: Draft, arguments: Arguments) -> None:
    draft.verified.pop(arguments.need("interface", str), None)


def _print_verified(configuration: Configuration) -> Iterator[str]:
    for name in configuration.verified:
        yield f"ip verify reverse-path interface {name}"


def _enter_sysopt(draft: Draft, arguments: Arguments) -> None:
    name = arguments.get("interface", str)
    if name is not None:
        draft.silent[name] = Use(name, arguments.where("interface"))
        return
    draft.kept.enter(arguments.kept("sysopt"))
    draft.gaps["sysopt"] = "the option is not set: what it permits does not pass by it"


def _undo_sysopt(draft: Draft, arguments: Arguments) -> None:
    name = arguments.get("interface", str)
    if name is not None:
        draft.silent.pop(name, None)
        return
    line = arguments.kept("sysopt")
    draft.kept.undo(replace(line, text=line.text.removeprefix("no ")), line)


def _print_silent(configuration: Configuration) -> Iterator[str]:
    for name in configuration.silent:
        yield f"sysopt noproxyarp {name}"


COMMANDS = (
    Command(
        "same-security-traffic",
        "let traffic pass between interfaces of one level, or out where it came in",
        _let_pass(True),
        Sequence(
            Keyword("permit"),
            OneOf(Keyword("inter-interface", "inter"), Keyword("intra-interface", "intra")),
        ),
        _let_pass(False),
        since=SEVEN,
        printed=_print_equals,
        detail="Such traffic needs no translation.",
    ),
    Command(
        "icmp",
        "whether ICMP to the firewall itself is let in",
        _enter_icmp,
        Sequence(
            ACTION,
            NETWORK,
            Options(Argument("icmp_type", ICMP_TYPE)),
            Argument("interface", INTERFACE),
        ),
        _undo_icmp,
        printed=_print_icmp,
        detail=(
            "Of the lines of an interface, the first that fits decides; if there is any, what none "
            "fits is dropped. Without one, Linux answers as it is set up to."
        ),
    ),
    accepted(
        "icmp unreachable", "how many errors are sent, which Linux limits itself", since=SEVEN
    ),
    Command(
        "ip verify reverse-path",
        "drop what comes from where no route of the interface leads",
        _enter_verified,
        Sequence(Keyword("interface"), Argument("interface", INTERFACE)),
        _undo_verified,
        printed=_print_verified,
        detail="The routes are those of the rule file.",
    ),
    Command(
        "sysopt",
        "options of the system, of which one is done",
        _enter_sysopt,
        OneOf(
            Sequence(Keyword("noproxyarp"), Argument("interface", INTERFACE)),
            Text("rest", "OPTION"),
        ),
        _undo_sysopt,
        printed=_print_silent,
        detail=(
            "`noproxyarp`: answer for no translated address on the interface, whose network must "
            "then route them to the firewall. No other option is implemented, which a warning says."
        ),
    ),
)
