"""Links, paths, commands and options that the documentation names: all of them exist."""

from __future__ import annotations

import re

import click
import pytest

from appliance.cli import main
from tests.docs.markdown import DOCUMENTS, ROOT, Document

EXTERNAL = re.compile(r"^(https?|mailto):")
PROJECT_PATH = re.compile(
    r"^(appliance|bench|docs|packaging|rules|scripts|tests|vagrant)/[\w./-]*\w$|^[A-Z]\w+\.md$"
)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
COMMAND = re.compile(r"\bpixguard ([a-z]+)")

FOREIGN = {
    "--ctorigdst": "iptables",
    "--from": "swaks",
    "--machines": "tests/vagrant",
    "--now": "systemctl",
    "--persistent": "iptables",
    "--queue-bypass": "iptables",
    "--rounds": "python3 -m bench",
    "--server": "swaks",
    "--small": "python3 -m bench",
    "--seed": "python3 -m tests.fuzz",
    "--to": "swaks",
    "--to-source": "iptables",
    "--json-lines": "python3 -m json.tool",
    "--kill-whom": "systemctl",
    "--no-build-isolation": "pip",
    "--purge": "dpkg",
    "--signal": "systemctl",
}
"""Options in the documentation that are no options of pixguard, and whose they are."""

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)


def options(command: click.Command) -> set[str]:
    context = click.Context(command)
    return {
        option
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    } - {"--help"}


OPTIONS = {name: options(command) for name, command in main.commands.items()}
ALL_OPTIONS = options(main).union(*OPTIONS.values())


@every_document
def test_links_lead_somewhere(document: Document) -> None:
    broken = []
    for number, target in document.links():
        if EXTERNAL.match(target):
            continue
        file, _, anchor = target.partition("#")
        path = (document.path.parent / file).resolve() if file else document.path
        known = path.exists() and path.is_relative_to(ROOT)
        if not known or (anchor and anchor not in Document(path).anchors()):
            broken.append(f"{document.name}:{number}: {target}")
    assert broken == []


@every_document
def test_files_that_are_named_exist(document: Document) -> None:
    missing = [
        f"{document.name}:{number}: {span}"
        for number, span in document.code_spans()
        if PROJECT_PATH.match(span) and not (ROOT / span).exists()
    ]
    assert missing == []


@every_document
def test_commands_and_options_that_are_named_exist(document: Document) -> None:
    unknown = []
    texts = [*document.code_spans()]
    for block in document.blocks:
        lines = block.text.replace("\\\n", "").splitlines()
        texts += [(block.line + at, line) for at, line in enumerate(lines, 1)]
    for number, text in texts:
        named = [name for name in COMMAND.findall(text) if name in OPTIONS]
        if COMMAND.search(text) and not named and re.match(r"(\$ )?pixguard [a-z]+", text):
            unknown.append(f"{document.name}:{number}: {text}")
        for option in OPTION.findall(text):
            own = OPTIONS[named[0]] if named else ALL_OPTIONS
            if option not in own and option not in FOREIGN:
                unknown.append(f"{document.name}:{number}: {option}")
    assert unknown == []


def text_of_all() -> str:
    return "\n".join(document.path.read_text() for document in DOCUMENTS)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_its_options_are_documented(name: str) -> None:
    text = text_of_all()
    assert f"pixguard {name}" in text
    missing = [each for each in OPTIONS[name] if not re.search(rf"(?<![\w-]){each}(?![\w-])", text)]
    assert missing == []


@pytest.mark.parametrize("option", sorted(FOREIGN))
def test_every_foreign_option_is_named(option: str) -> None:
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", text_of_all())


def test_every_document_is_found_from_the_index() -> None:
    index = Document(ROOT / "docs" / "README.md")
    reached = {
        (index.path.parent / target.partition("#")[0]).resolve() for _, target in index.links()
    }
    reached.add(index.path)
    below = {document.path for document in DOCUMENTS if ROOT / "docs" in document.path.parents}
    assert {str(path.relative_to(ROOT)) for path in below - reached} == set()
