"""Regular expressions with names: `regex` and `class-map type regex`, from 7.2 on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from appliance.config.command import GLOBAL, Command, Mode
from appliance.config.criteria import MAP_NAME
from appliance.config.draft import Draft, RegexClassEntry, Use
from appliance.config.grammar import Argument, Arguments, Sequence, Text
from appliance.config.language import MAPS
from appliance.config.line import Refusal
from appliance.config.model import Configuration
from appliance.config.naming import claim_class
from appliance.smtp.expression import Expression, ExpressionError

REGEX_CLASS = Mode("regex class", GLOBAL)

_LONGEST = 100
"""Characters of an expression (Cisco's command reference, `regex`)."""


def _unquoted(arguments: Arguments) -> tuple[str, int]:
    """The expression without the quotes around it, and the column where it begins."""
    text, column = arguments.get("text", str) or "", arguments.where("text").column
    if not text:
        raise Refusal(column, "incomplete command", "expected here: a regular expression")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1], column + 1
    if text[0] == '"':
        raise Refusal(column, "the quotes are not closed", r'write `"` at the end, or `\"`')
    if blank := re.search(r"\s", text):
        raise Refusal(
            column + blank.start(),
            "the expression has a blank",
            'write it in quotes: `"a b"`, or `\\x20`',
        )
    return text, column


def _enter(draft: Draft, arguments: Arguments) -> None:
    name, (text, column) = arguments.need("name", str), _unquoted(arguments)
    if len(text) > _LONGEST:
        raise Refusal(
            column + _LONGEST, f"the expression is longer than {_LONGEST} characters", "shorten it"
        )
    try:
        draft.regexes[name] = Expression(name, text)
    except ExpressionError as error:
        raise Refusal(column + error.at, error.problem, error.remedy) from None


def _undo(draft: Draft, arguments: Arguments) -> None:
    if draft.regexes.pop(arguments.need("name", str), None) is None:
        raise arguments.refusal("name", "there is no such regex", "remove what is defined above")


def _enter_class(draft: Draft, arguments: Arguments) -> RegexClassEntry:
    name = claim_class(draft, arguments, draft.regex_classes)
    return draft.regex_classes.setdefault(name, RegexClassEntry(name))


def _undo_class(draft: Draft, arguments: Arguments) -> None:
    entry = draft.regex_classes.pop(arguments.need("name", str), None)
    if entry is None:
        raise arguments.refusal("name", "there is no such class", "remove what is defined above")
    draft.kept.close((entry.heading,))


def _enter_match(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("name", str)
    uses = arguments.subject(RegexClassEntry).uses
    uses.setdefault(name, Use(name, arguments.where("name")))


def _undo_match(draft: Draft, arguments: Arguments) -> None:
    uses = arguments.subject(RegexClassEntry).uses
    if uses.pop(arguments.need("name", str), None) is None:
        raise arguments.refusal("name", "there is no such match", "remove what is defined above")


def _describe(draft: Draft, arguments: Arguments) -> None:
    arguments.subject(RegexClassEntry).description = arguments.get("text", str) or ""


def _print(configuration: Configuration) -> Iterator[str]:
    for each in configuration.regexes:
        yield f'regex {each.name} "{each.text}"'


def _print_classes(configuration: Configuration) -> Iterator[str]:
    for each in configuration.regex_classes:
        yield each.heading
        if each.description:
            yield f" description {each.description}"
        for regex in each.regexes:
            yield f" match regex {regex}"


COMMANDS = (
    Command(
        "regex",
        "a regular expression, which inspection maps use",
        _enter,
        Sequence(Argument("name", MAP_NAME), Text("text", "EXPRESSION")),
        _undo,
        Sequence(Argument("name", MAP_NAME), Text("text", "EXPRESSION")),
        defines=(0,),
        since=MAPS,
        printed=_print,
        detail="It is found anywhere in a text, and case counts. In quotes it may have blanks.",
    ),
    Command(
        "class-map type regex match-any",
        "regular expressions, any of which is a match",
        _enter_class,
        Argument("name", MAP_NAME),
        _undo_class,
        defines=(0,),
        since=MAPS,
        opens=REGEX_CLASS,
        printed=_print_classes,
    ),
    Command(
        "match regex",
        "one of the expressions",
        _enter_match,
        Argument("name", MAP_NAME),
        _undo_match,
        since=MAPS,
        mode=REGEX_CLASS,
    ),
    Command(
        "description",
        "what the class is for",
        _describe,
        Text("text"),
        _describe,
        Sequence(),
        since=MAPS,
        mode=REGEX_CLASS,
    ),
)
