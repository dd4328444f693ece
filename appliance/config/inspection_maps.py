"""Inspection maps of mail: `class-map` and `policy-map type inspect esmtp`, from 7.2 on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from appliance.config.command import FREE, GLOBAL, Command, Mode, unimplemented
from appliance.config.criteria import CRITERION, MAP_NAME, NOT_MASKABLE, criterion
from appliance.config.draft import (
    Draft,
    EsmtpClassEntry,
    EsmtpMapEntry,
    ParametersEntry,
    RowEntry,
    Use,
)
from appliance.config.grammar import (
    ANYTHING,
    NOTHING,
    Argument,
    Arguments,
    Combined,
    Keyword,
    OneOf,
    Options,
    Piece,
    Sequence,
    Text,
)
from appliance.config.kinds import Integer, Word
from appliance.config.language import MAPS
from appliance.config.model import Configuration
from appliance.config.naming import claim_class, claim_policy
from appliance.smtp.esmtp_map import (
    MASKABLE,
    Act,
    Action,
    Criterion,
    EsmtpClass,
    EsmtpMap,
    Relay,
    Row,
)

_Change: TypeAlias = Callable[[EsmtpMap, Arguments], EsmtpMap]

ESMTP_CLASS = Mode("inspection class", GLOBAL)
ESMTP_MAP = Mode("inspection map", GLOBAL)
ROW = Mode("match", ESMTP_MAP)
PARAMETERS = Mode("parameters", ESMTP_MAP)

_FIRST_TLS = 3
"""The maintenance number of 7.2 and 8.0 that brought `allow-tls`."""

_DOMAIN = Word("DOMAIN", "a domain", r"[!-~]{1,255}", "up to 255 characters without blanks")


def _enter_class(draft: Draft, arguments: Arguments) -> EsmtpClassEntry:
    name, any_of = claim_class(draft, arguments, draft.esmtp_classes), arguments.get("any", bool)
    new = EsmtpClassEntry(EsmtpClass(name, any=bool(any_of)))
    entry = draft.esmtp_classes.setdefault(name, new)
    if any_of is not None and entry.esmtp_class.any is not any_of:
        raise arguments.refusal("any", f"{name} is the other kind", f"write `{entry.heading}`")
    return entry


def _undo_class(draft: Draft, arguments: Arguments) -> None:
    entry = draft.esmtp_classes.pop(arguments.need("name", str), None)
    if entry is None:
        raise arguments.refusal("name", "there is no such class", "remove what is defined above")
    draft.kept.close((entry.heading,))


def _enter_criterion(draft: Draft, arguments: Arguments) -> None:
    entry, (asked, use) = arguments.subject(EsmtpClassEntry), criterion(arguments)
    known = entry.esmtp_class
    if asked not in known.criteria:
        entry.esmtp_class = replace(known, criteria=(*known.criteria, asked))
    if use:
        entry.uses.setdefault(asked.text, use)


def _undo_criterion(draft: Draft, arguments: Arguments) -> None:
    entry, (asked, _) = arguments.subject(EsmtpClassEntry), criterion(arguments)
    known = entry.esmtp_class
    kept = arguments.without(list(known.criteria), lambda each: each == asked, "match")
    entry.esmtp_class = replace(known, criteria=tuple(kept))
    entry.uses.pop(asked.text, None)


def _describe_class(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(EsmtpClassEntry)
    entry.esmtp_class = replace(entry.esmtp_class, description=arguments.get("text", str) or "")


def _enter_map(draft: Draft, arguments: Arguments) -> EsmtpMapEntry:
    name = claim_policy(draft, arguments, draft.esmtp_maps)
    new = EsmtpMapEntry(EsmtpMap(name), arguments.place)
    return draft.esmtp_maps.setdefault(name, new)


def _undo_map(draft: Draft, arguments: Arguments) -> None:
    entry = draft.esmtp_maps.pop(arguments.need("name", str), None)
    if entry is None:
        raise arguments.refusal("name", "there is no such map", "remove what is defined above")
    draft.kept.close((entry.heading,))


def _describe_map(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(EsmtpMapEntry)
    entry.esmtp_map = replace(entry.esmtp_map, description=arguments.get("text", str) or "")


def _row(arguments: Arguments) -> RowEntry:
    name = arguments.get("name", str)
    if name is not None:
        use = Use(name, arguments.where("name"))
        return RowEntry(Row(EsmtpClass(name)), arguments.place, use)
    asked, regex = criterion(arguments)
    return RowEntry(Row(asked), arguments.place, regex)


def _enter_row(draft: Draft, arguments: Arguments) -> RowEntry:
    entry = _row(arguments)
    return arguments.subject(EsmtpMapEntry).rows.setdefault(entry.heading, entry)


def _undo_row(draft: Draft, arguments: Arguments) -> None:
    heading = _row(arguments).heading
    if arguments.subject(EsmtpMapEntry).rows.pop(heading, None) is None:
        raise arguments.refusal("", "there is no such line", "remove what is defined above")
    draft.kept.close((*arguments.path, heading))


def _acting(act: Act) -> Callable[[Draft, Arguments], None]:
    def enter(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(RowEntry)
        asked = entry.row.asked
        if act is Act.MASK and isinstance(asked, Criterion) and asked.subject not in MASKABLE:
            raise arguments.refusal("", *NOT_MASKABLE)
        log = act is Act.NONE or bool(arguments.get("log", bool))
        entry.row = replace(entry.row, action=Action(act, log, arguments.get("rate", int) or 0))

    return enter


def _stop_acting(act: Act) -> Callable[[Draft, Arguments], None]:
    def undo(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(RowEntry)
        if entry.row.action.act is not act or not entry.row.action.text:
            raise arguments.refusal("", "there is no such action", "remove what is there")
        entry.row = replace(entry.row, action=Action())

    return undo


def _enter_parameters(draft: Draft, arguments: Arguments) -> ParametersEntry:
    return ParametersEntry(arguments.subject(EsmtpMapEntry))


def _undo_parameters(draft: Draft, arguments: Arguments) -> None:
    entry = arguments.subject(EsmtpMapEntry)
    fresh = EsmtpMap(entry.esmtp_map.name, entry.esmtp_map.description)
    entry.esmtp_map = fresh


def _setting(change: _Change) -> Callable[[Draft, Arguments], None]:
    """A handler that sets a parameter.

    Args:
        change: makes a map that has it of one and the command's arguments.
    """

    def enter(draft: Draft, arguments: Arguments) -> None:
        entry = arguments.subject(ParametersEntry).entry
        entry.esmtp_map = change(entry.esmtp_map, arguments)

    return enter


def _relay(esmtp_map: EsmtpMap, arguments: Arguments) -> EsmtpMap:
    relay = Relay(arguments.need("domain", str), arguments.need("action", Action))
    return replace(esmtp_map, mail_relay=relay)


def _special(esmtp_map: EsmtpMap, arguments: Arguments) -> EsmtpMap:
    return replace(esmtp_map, special_character=arguments.need("action", Action))


def _enter_tls(draft: Draft, arguments: Arguments) -> None:
    version = draft.version
    found = version and re.fullmatch(r"(7\.2|8\.0)\(([0-9]+)\)?.*", version.number)
    if found and int(found[2]) < _FIRST_TLS:
        raise arguments.refusal(
            "",
            f"`allow-tls` exists from 7.2({_FIRST_TLS}) and 8.0({_FIRST_TLS}) on only",
            "write a version line that has it, or leave it out",
        )
    entry, log = arguments.subject(ParametersEntry).entry, arguments.get("log", bool)
    entry.esmtp_map = replace(entry.esmtp_map, allow_tls=True, tls_log=bool(log))


def _make_action(arguments: Arguments) -> Action:
    act = Act.DROP_CONNECTION if arguments.get("drop", bool) else Act.NONE
    return Action(act, log=bool(arguments.get("log", bool)))


def _print_classes(configuration: Configuration) -> Iterator[str]:
    for each in configuration.esmtp_classes:
        yield each.heading
        if each.description:
            yield f" description {each.description}"
        for asked in each.criteria:
            yield f" match {asked.text}"


def _print_maps(configuration: Configuration) -> Iterator[str]:
    for each in configuration.esmtp_maps:
        yield from each.lines()


_LOG = Options(Keyword("log", "log"))
_ACTION = Sequence(
    Keyword("action"),
    Combined(
        "action",
        OneOf(Sequence(Keyword("drop-connection", "drop"), _LOG), Keyword("log", "log")),
        _make_action,
    ),
)
_RATE = Argument("rate", Integer(1, 0xFFFFFFFF, "MESSAGES"))


def _action(act: Act, help: str, form: Piece = _LOG) -> Command:
    return Command(
        act.value or "log",
        help,
        _acting(act),
        form,
        _stop_acting(act),
        ANYTHING,
        since=MAPS,
        mode=ROW,
    )


def _parameter(words: str, help: str, form: Piece, change: _Change, undo: _Change) -> Command:
    return Command(
        words,
        help,
        _setting(change),
        form,
        _setting(undo),
        ANYTHING,
        since=MAPS,
        mode=PARAMETERS,
    )


COMMANDS = (
    Command(
        "class-map type inspect esmtp",
        "matches of mail with one name, all of which or any of which must hold",
        _enter_class,
        Sequence(
            Options(OneOf(Keyword("match-all", "any", value=False), Keyword("match-any", "any"))),
            Argument("name", MAP_NAME),
        ),
        _undo_class,
        defines=(0, 1),
        since=MAPS,
        opens=ESMTP_CLASS,
        printed=_print_classes,
    ),
    Command(
        "match",
        "what is looked at",
        _enter_criterion,
        CRITERION,
        _undo_criterion,
        since=MAPS,
        mode=ESMTP_CLASS,
    ),
    Command(
        "description",
        "what the class is for",
        _describe_class,
        Text("text"),
        _describe_class,
        NOTHING,
        since=MAPS,
        mode=ESMTP_CLASS,
    ),
    Command(
        "policy-map type inspect esmtp",
        "what the inspection of mail looks at, and what then happens",
        _enter_map,
        Argument("name", MAP_NAME),
        _undo_map,
        defines=(0,),
        since=MAPS,
        opens=ESMTP_MAP,
        printed=_print_maps,
        detail="It is in force where an `inspect esmtp` names it.",
    ),
    Command(
        "description",
        "what the map is for",
        _describe_map,
        Text("text"),
        _describe_map,
        NOTHING,
        since=MAPS,
        mode=ESMTP_MAP,
    ),
    Command(
        "match",
        "what is looked at; the line below says what then happens",
        _enter_row,
        CRITERION,
        _undo_row,
        since=MAPS,
        mode=ESMTP_MAP,
        opens=ROW,
        detail="Matches apply in the order in which they stand.",
    ),
    Command(
        "class",
        "the same with the matches of a `class-map type inspect esmtp`",
        _enter_row,
        Argument("name", MAP_NAME),
        _undo_row,
        since=MAPS,
        mode=ESMTP_MAP,
        opens=ROW,
    ),
    _action(Act.DROP_CONNECTION, "drop the packet and all that follow, and tell neither end"),
    _action(Act.RESET, "end the connection, and tell both ends"),
    _action(Act.MASK, "write `X` over it; of verbs and parameters of the reply to EHLO alone"),
    _action(Act.NONE, "let it pass, with a message", NOTHING),
    _action(Act.RATE_LIMIT, "let so many pass in a second, and drop the others", _RATE),
    Command(
        "parameters",
        "what is not told by matches",
        _enter_parameters,
        NOTHING,
        _undo_parameters,
        since=MAPS,
        mode=ESMTP_MAP,
        opens=PARAMETERS,
    ),
    _parameter(
        "mask-banner",
        "mask the server's greeting, which is so from the start",
        NOTHING,
        lambda each, _: replace(each, mask_banner=True),
        lambda each, _: replace(each, mask_banner=False),
    ),
    _parameter(
        "mail-relay",
        "what happens to mail for another domain than this",
        Sequence(Argument("domain", _DOMAIN), _ACTION),
        _relay,
        lambda each, _: replace(each, mail_relay=None),
    ),
    _parameter(
        "special-character",
        "what happens where an address has a character with a meaning for a shell",
        _ACTION,
        _special,
        lambda each, _: replace(each, special_character=None),
    ),
    Command(
        "allow-tls",
        "let STARTTLS pass, and all that follows it unread",
        _enter_tls,
        Options(Sequence(Keyword("action"), Keyword("log", "log"))),
        _setting(lambda each, _: replace(each, allow_tls=False, tls_log=False)),
        ANYTHING,
        since=MAPS,
        mode=PARAMETERS,
        detail="From 7.2(3) and 8.0(3) on.",
    ),
    unimplemented(
        "class-map type inspect",
        "a class of what another inspection sees",
        "no inspection knows it",
        since=MAPS,
        opens=FREE,
    ),
    unimplemented(
        "policy-map type inspect",
        "how another inspection is done",
        "the inspection is done as without it",
        since=MAPS,
        opens=FREE,
    ),
    unimplemented(
        "class-map type management",
        "a class of traffic to the firewall itself",
        "nothing is done to it",
        since=MAPS,
        opens=FREE,
    ),
)
