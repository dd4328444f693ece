"""Every command, example and output in the documentation, tried.

The blocks of a document are run in order in one workplace, those that need network namespaces
apart from the others, so that a machine without root runs what it can.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.box import load_box
from appliance.config.load import load_configuration, read_rules
from tests.docs.markdown import BLOCKS, DOCUMENTS, Block, Document
from tests.docs.workplace import (
    ELSEWHERE,
    NEEDS_NAMESPACES,
    Elsewhere,
    Workplace,
    pattern,
    run_console_block,
    run_shell_block,
    session,
)
from tests.namespaces import needs_namespaces

RUN = ("sh", "console", "python")
LANGUAGES = (*RUN, "cisco", "yaml", "text")


def runnable(document: Document, namespaces: bool) -> list[Block]:
    return [
        block
        for block in document.blocks
        if block.language in RUN and bool(NEEDS_NAMESPACES.search(block.text)) is namespaces
    ]


def having(namespaces: bool) -> pytest.MarkDecorator:
    chosen = [each for each in DOCUMENTS if runnable(each, namespaces)]
    return pytest.mark.parametrize("document", chosen, ids=lambda each: each.name)


def run(document: Document, namespaces: bool, directory: Path) -> None:
    workplace = Workplace(directory)
    if namespaces or document.name.startswith("vagrant/"):
        workplace.provision()
    for block in runnable(document, namespaces):
        match block.language:
            case "sh":
                run_shell_block(workplace, block)
            case "console":
                run_console_block(workplace, block)
            case "python":
                done = workplace.run("python3", "-c", block.text)
                assert done.returncode == 0, f"{block}:\n{done.stdout}"


@having(namespaces=False)
def test_the_commands_do_what_is_said_of_them(document: Document, tmp_path: Path) -> None:
    run(document, False, tmp_path)


@needs_namespaces
@having(namespaces=True)
def test_the_commands_of_the_lab_do_what_is_said_of_them(
    document: Document, tmp_path: Path
) -> None:
    run(document, True, tmp_path)


def test_every_block_is_of_a_kind_that_is_tried_or_text() -> None:
    strange = [
        f"{block}: {block.language!r}" for block in BLOCKS if block.language not in LANGUAGES
    ]
    assert strange == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)
def test_no_block_hides_from_the_tests_by_being_indented(document: Document) -> None:
    lines = dict(document.prose)
    indented = [
        f"{document.name}:{number}"
        for number, line in document.prose
        if line.startswith("    ") and not lines.get(number - 1, "").strip()
    ]
    assert indented == []


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "cisco"], ids=str)
def test_rule_files_are_good(block: Block) -> None:
    reading = read_rules(block.text, str(block))
    assert reading.configuration is not None
    assert reading.findings == ()


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "yaml"], ids=str)
def test_box_files_are_good(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "box.yaml"
    file.write_text(block.text)
    assert load_box(file).interfaces


@pytest.mark.parametrize("row", ELSEWHERE, ids=lambda row: row.words)
def test_every_exception_is_made_for_a_command_that_is_there(row: Elsewhere) -> None:
    assert any(
        row.matches(line)
        for block in BLOCKS
        if block.language == "sh"
        for line in block.text.splitlines()
    )


def test_mailguard_is_off_after_the_command_that_switches_it_off(tmp_path: Path) -> None:
    [line] = [
        line
        for block in BLOCKS
        if block.document == "vagrant/README.md"
        for line in block.text.splitlines()
        if line.startswith("sudo sed ")
    ]
    workplace = Workplace(tmp_path)
    workplace.provision()
    file = workplace.root / "etc" / "pixguard" / "pixguard.conf"
    assert load_configuration(file).smtp_ports == ((25, 25),)
    assert workplace.shell(line).returncode == 0
    assert load_configuration(file).smtp_ports == ()


def test_a_command_that_fails_would_be_noticed(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    for text in ("false\ntrue\n", "pixguard check no-such-file\n", "sudo false\n"):
        with pytest.raises(AssertionError, match="exit code"):
            run_shell_block(workplace, Block("a.md", 1, "sh", text))
    with pytest.raises(AssertionError, match=r"a\.md:1"):
        run_console_block(workplace, Block("a.md", 1, "console", "$ echo one\ntwo\n"))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nb\nc\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nd\n", True),
        ("a\n...\nd\n", "b\nd\n", False),
        ("port ... is (open)\n", "port 25 is (open)\n", True),
        ("port ... is open\n", "port 25\n is open\n", False),
    ],
)
def test_output_is_compared_up_to_ellipses(expected: str, printed: str, same: bool) -> None:
    assert bool(pattern(expected).fullmatch(printed)) is same


def test_a_session_is_taken_apart() -> None:
    text = "$ one \\\n    more\nout\nput\n$ two\n"
    assert session(text) == [("one \\\n    more\n", "out\nput\n"), ("two\n", "")]
