"""The inspection maps of a draft, with what they name looked up."""

from __future__ import annotations

from dataclasses import replace

from appliance.config.criteria import NOT_MASKABLE
from appliance.config.draft import Draft, RowEntry, Use
from appliance.smtp.esmtp_map import (
    DEFAULT_MAP,
    MASKABLE,
    Act,
    Criterion,
    EsmtpClass,
    EsmtpMap,
    Row,
)
from appliance.smtp.expression import Expression


def freeze_classes(draft: Draft) -> dict[str, EsmtpClass]:
    """The classes of mail by their names; what they name and is not there is refused.

    Args:
        draft: all that the file's commands have said.
    """
    for regex_class in draft.regex_classes.values():
        for use in regex_class.uses.values():
            _check(draft, use, "regex", use.name in draft.regexes)
    return {
        name: replace(
            entry.esmtp_class,
            criteria=tuple(
                _resolved(draft, asked, entry.uses.get(asked.text))
                for asked in entry.esmtp_class.criteria
            ),
        )
        for name, entry in draft.esmtp_classes.items()
    }


def freeze_maps(draft: Draft, classes: dict[str, EsmtpClass]) -> dict[str, EsmtpMap]:
    """The inspection maps by their names, the default one among them.

    Args:
        draft: all that the file's commands have said.
        classes: the classes of mail.
    """
    maps = {DEFAULT_MAP.name: DEFAULT_MAP}
    for name, entry in draft.esmtp_maps.items():
        made = replace(
            entry.esmtp_map,
            rows=tuple(_row(draft, each, classes) for each in entry.rows.values()),
        )
        if name == DEFAULT_MAP.name and made != DEFAULT_MAP:
            draft.refuse(
                entry.place,
                f"{name} is what it is without being written, and cannot be changed",
                "write a map of another name, and `inspect esmtp` with that",
            )
        maps[name] = made
    return maps


def _row(draft: Draft, entry: RowEntry, classes: dict[str, EsmtpClass]) -> Row:
    row = entry.row
    if isinstance(row.asked, Criterion):
        row = replace(row, asked=_resolved(draft, row.asked, entry.use))
    elif entry.use and _check(
        draft, entry.use, "class-map type inspect esmtp", row.asked.name in classes
    ):
        row = replace(row, asked=classes[row.asked.name])
        _check_class(draft, row, entry.use)
    if not row.action.text and not any(draft.is_any_refused(words) for words in _ACTIONS):
        draft.warn(entry.place, "no action follows", "the line has no effect; write one below it")
    return row


_ACTIONS = ("log", *(act.value for act in Act if act.value))


def _check_class(draft: Draft, row: Row, use: Use) -> None:
    if not row.criteria and not draft.is_any_refused("match"):
        draft.refuse(use.place, f"class {use.name} asks for nothing", "write a `match` in it")
    if row.action.act is Act.MASK and any(c.subject not in MASKABLE for c in row.criteria):
        problem, remedy = NOT_MASKABLE
        draft.refuse(use.place, problem, remedy)


def _resolved(draft: Draft, asked: Criterion, use: Use | None) -> Criterion:
    """A criterion with the expressions that it names."""
    if use is None:
        return asked
    found: tuple[Expression, ...] = ()
    if not asked.regex_class:
        if _check(draft, use, "regex", use.name in draft.regexes):
            found = (draft.regexes[use.name],)
    elif _check(draft, use, "class-map type regex match-any", use.name in draft.regex_classes):
        names = draft.regex_classes[use.name].uses
        if not names and not draft.is_any_refused("match regex"):
            draft.refuse(use.place, f"class {use.name} has no regex", "write a `match` in it")
        found = tuple(draft.regexes[name] for name in names if name in draft.regexes)
    return replace(asked, expressions=found)


def _check(draft: Draft, use: Use, words: str, known: bool) -> bool:
    if not known and not draft.is_excused(words, use.name):
        draft.refuse(
            use.place, f"{words} {use.name} does not exist", f"define it: `{words} {use.name}`"
        )
    return known
