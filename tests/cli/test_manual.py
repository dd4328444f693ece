"""The manual pages: complete, and in order for the program that shows them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from appliance.cli import main
from appliance.manual import _text, pages, write


def options(command: click.Command) -> set[str]:
    return {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }


def plain(text: str) -> str:
    return text.replace(r"\-", "-")


def test_every_command_has_a_page_and_is_named_in_the_first() -> None:
    found = pages()
    assert set(found) == {"pixguard.1", *(f"pixguard-{name}.1" for name in main.commands)}
    for name in main.commands:
        assert rf"pixguard\-{name}" in found["pixguard.1"]


@pytest.mark.parametrize("name", sorted(main.commands))
def test_a_page_has_every_option_and_an_exit_status(name: str) -> None:
    text = plain(pages()[f"pixguard-{name}.1"])
    for option in options(main.commands[name]):
        assert re.search(rf"{option}(?![\w-])", text)
    assert ".SH EXIT STATUS" in text


def test_nothing_is_taken_for_a_request_or_an_escape() -> None:
    assert _text(".PP\n'x \\fB --a `b`") == "\\&.PP\n\\&'x \\efB \\-\\-a \\(gab\\(ga"


@pytest.mark.skipif(shutil.which("man") is None, reason="there is no man here")
def test_man_shows_every_page_without_a_warning(tmp_path: Path) -> None:
    write(tmp_path)
    for page in tmp_path.iterdir():
        shown = subprocess.run(
            ["man", "--warnings", "--local-file", str(page)],
            check=True,
            capture_output=True,
            text=True,
            env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
        )
        assert shown.stderr == ""
        assert "SYNOPSIS" in shown.stdout
