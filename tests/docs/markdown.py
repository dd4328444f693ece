"""The documentation as data: its documents, and the blocks, headings and links in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^( {0,3})```(.*)$")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$")
_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(<?([^)\s>]+)>?\)")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Args:
        document: name of the document, relative to the project's root.
        line: the line of its opening fence.
        language: what stands behind the fence.
        text: what is in it.
    """

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Document:
    """A Markdown file.

    Args:
        path: where it is.
    """

    path: Path

    @property
    def name(self) -> str:
        """Its name, relative to the project's root."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def _parts(self) -> tuple[tuple[Block, ...], tuple[tuple[int, str], ...]]:
        blocks: list[Block] = []
        prose: list[tuple[int, str]] = []
        opened: tuple[int, str, str] | None = None
        inside: list[str] = []
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            fence = _FENCE.match(line)
            if opened is None and fence:
                opened, inside = (number, fence[1], fence[2].strip()), []
            elif opened is None:
                prose.append((number, line))
            elif fence and not fence[2].strip():
                at, indent, language = opened
                text = "".join(f"{each.removeprefix(indent)}\n" for each in inside)
                blocks.append(Block(self.name, at, language, text))
                opened = None
            else:
                inside.append(line)
        assert opened is None, f"{self.name}:{opened[0]}: the block is not closed"
        return tuple(blocks), tuple(prose)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Its fenced blocks."""
        return self._parts[0]

    @property
    def prose(self) -> tuple[tuple[int, str], ...]:
        """Line number and text of every line outside of the fenced blocks."""
        return self._parts[1]

    def code_spans(self) -> Iterator[tuple[int, str]]:
        """Line number and text of the code in the prose."""
        for number, line in self.prose:
            for span in _CODE.findall(line):
                yield number, span.replace("\\|", "|")

    def links(self) -> Iterator[tuple[int, str]]:
        """Line number and target of every link."""
        for number, line in self.prose:
            for target in _LINK.findall(_CODE.sub("", line)):
                yield number, target

    def anchors(self) -> set[str]:
        """The anchors that the headings get where Markdown is shown."""
        found: set[str] = set()
        for _, line in self.prose:
            heading = _HEADING.match(line)
            if heading:
                words = re.sub(r"[^\w\- ]", "", heading[1].lower()).strip().replace(" ", "-")
                anchor, count = words, 0
                while anchor in found:
                    count += 1
                    anchor = f"{words}-{count}"
                found.add(anchor)
        return found


def documents() -> tuple[Document, ...]:
    """Every Markdown file of the project."""
    paths = [
        path
        for path in sorted(ROOT.rglob("*.md"))
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    return tuple(map(Document, paths))


DOCUMENTS = documents()
BLOCKS = tuple(block for document in DOCUMENTS for block in document.blocks)
