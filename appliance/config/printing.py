"""A configuration as a device prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import md5
from itertools import groupby

from appliance.config.command import GLOBAL, below
from appliance.config.language import Language
from appliance.config.model import Configuration
from appliance.config.order import OBJECT_NAT, SEPARATOR, order, position, section_of
from appliance.config.table import TABLE


def printed(configuration: Configuration) -> list[str]:
    """The lines of a configuration, in the language of its version.

    They read back to an equal one.

    Args:
        configuration: what is printed.
    """
    language = configuration.language
    sections = {
        section: [line for _, block in blocks for line in block]
        for section, blocks in groupby(
            sorted(_blocks(configuration, language), key=lambda each: each[0]),
            key=lambda each: each[0][0],
        )
    }
    lines: list[str] = []
    for number, section in enumerate((*order(language), "")):
        if section == SEPARATOR:
            lines.append(SEPARATOR)
        found = sections.get(number, [])
        apart = [SEPARATOR] if found and section == OBJECT_NAT else []
        lines += [*apart, *found, *apart]
    return lines


def _blocks(
    configuration: Configuration, language: Language
) -> Iterator[tuple[tuple[int, int, str], list[str]]]:
    """Lines that stand together, each with its place in the order."""
    for command in TABLE.of(GLOBAL, language):
        if command.printed:
            for block in _gathered(command.printed(configuration)):
                yield position(section_of(block), language), block
    opened = {kept.under for kept in configuration.kept}
    for kept in configuration.kept:
        if not kept.under:
            lines = below(configuration, kept.text) if (kept.text,) in opened else ()
            yield position(kept.text, language), [kept.text, *lines]


def _gathered(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines in blocks: one that begins with a blank or is a separator goes with those before."""
    block: list[str] = []
    for line in lines:
        if block and not line.startswith((" ", SEPARATOR)):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def saved(configuration: Configuration) -> str:
    """A configuration as a device saves it: between its comments, with its checksum.

    Args:
        configuration: what is saved.
    """
    text = "".join(f"{line}\n" for line in printed(configuration))
    checksum = md5(text.encode(), usedforsecurity=False).hexdigest()
    return f": Saved\n:\n{text}Cryptochecksum:{checksum}\n: end\n"
