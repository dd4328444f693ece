"""Names for addresses: `names`, `name`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from appliance.config.command import Command
from appliance.config.draft import Draft
from appliance.config.grammar import ANYTHING, Argument, Arguments, Keyword, Options, Sequence, Text
from appliance.config.kinds import ADDRESS, Word
from appliance.config.model import Configuration, Name

# Words that stand where an address may: a name that equals one could never be told from it.
_TAKEN = frozenset({"any", "host", "interface", "object", "object-group", "access-list"})
_NAME = Word(
    "NAME",
    "a name",
    r"(?![0-9.]+$)[A-Za-z0-9][A-Za-z0-9_./-]{0,62}",
    "letters, digits, -, _, . and /, and not only digits",
)


def _enter_names(draft: Draft, arguments: Arguments) -> None:
    draft.names_enabled = True


def _undo_names(draft: Draft, arguments: Arguments) -> None:
    draft.names_enabled = False


def _enter_name(draft: Draft, arguments: Arguments) -> None:
    name = arguments.need("name", str)
    if name.lower() in _TAKEN or re.fullmatch(r"tcp|udp", name.lower()):
        raise arguments.refusal("name", f"`{name}` is a keyword", "choose another name")
    draft.names[name] = Name(
        arguments.need("address", IPv4Address),
        name,
        arguments.place,
        arguments.get("description", str) or "",
    )


def _undo_name(draft: Draft, arguments: Arguments) -> None:
    address = arguments.need("address", IPv4Address)
    name = arguments.get("name", str)
    doomed = [n for n in draft.names.values() if n.address == address and name in (None, n.name)]
    if not doomed:
        raise arguments.refusal("address", "there is no such name", "remove what is defined above")
    for entry in doomed:
        del draft.names[entry.name]


def _print_names(configuration: Configuration) -> Iterator[str]:
    yield "names" if configuration.names_enabled else "no names"


def _print_name(configuration: Configuration) -> Iterator[str]:
    for each in configuration.names:
        description = f" description {each.description}" if each.description else ""
        yield f"name {each.address} {each.name}{description}"


COMMANDS = (
    Command(
        "names",
        "let names stand for addresses",
        _enter_names,
        undo=_undo_names,
        printed=_print_names,
        detail="They do from the start.",
    ),
    Command(
        "name",
        "give an address a name",
        _enter_name,
        Sequence(
            Argument("address", ADDRESS),
            Argument("name", _NAME),
            Options(Sequence(Keyword("description"), Text("description"))),
        ),
        _undo_name,
        Sequence(Argument("address", ADDRESS), Options(Argument("name", _NAME)), ANYTHING),
        defines=(1,),
        printed=_print_name,
    ),
)
