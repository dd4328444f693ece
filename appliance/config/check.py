"""`pixguard check`: rule files are judged without anything being run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from pathlib import Path

from appliance.config.load import Reading, read_file
from appliance.config.printing import saved
from appliance.errors import Finding, PixguardError, Severity, listing, printable
from appliance.policy.review import review


class Output(Enum):
    """What is written to standard output."""

    TEXT = "text"
    """What is wrong, in words, and a judgement."""
    JSON = "json"
    """The same as one object a file."""
    CONFIGURATION = "configuration"
    """The configurations themselves; what is wrong with them goes to standard error."""


def check_files(paths: Iterable[Path], lenient: bool = False, output: Output = Output.TEXT) -> int:
    """Print what is wrong with each file.

    Args:
        paths: the rule files.
        lenient: whether commands that nobody knows are left out, with a warning.
        output: what is printed.

    Returns:
        0 if all can be used, whatever warnings there are; 1 if one has an error or cannot be read.
    """
    status = 0
    for path in paths:
        try:
            reading = _reviewed(read_file(path, lenient))
        except PixguardError as error:
            _say_unreadable(path, error, output)
            status = 1
            continue
        match output:
            case Output.TEXT:
                _print_text(path, reading)
            case Output.JSON:
                print(json.dumps(_as_object(path, reading)))
            case Output.CONFIGURATION:
                _print_configuration(path, reading)
        if reading.configuration is None:
            status = 1
    return status


def _reviewed(reading: Reading) -> Reading:
    """What was read, with what shows only when all of it is looked at together."""
    if reading.configuration is None:
        return reading
    found = [
        replace(finding, text=reading.shown.get(finding.place.line, ""))
        for finding in review(reading.configuration)
    ]
    findings = sorted((*reading.findings, *found), key=lambda each: each.place.line)
    usable = all(each.severity is not Severity.ERROR for each in found)
    return replace(
        reading,
        configuration=reading.configuration if usable else None,
        findings=tuple(findings),
    )


def _say_unreadable(path: Path, error: PixguardError, output: Output) -> None:
    match output:
        case Output.TEXT:
            print(error)
        case Output.JSON:
            print(json.dumps({"file": str(path), "good": False, "problem": str(error)}))
        case Output.CONFIGURATION:
            print(error, file=sys.stderr)


def _print_text(path: Path, reading: Reading) -> None:
    for shown in listing(reading.findings):
        print(shown)
    for note in reading.notes:
        print(f"{note.place}: note: `{note.words}` has no effect here ({note.help})")
    print(f"{printable(str(path))}: {_judgement(reading)}")


def _print_configuration(path: Path, reading: Reading) -> None:
    for shown in listing(reading.findings):
        print(shown, file=sys.stderr)
    if reading.configuration is None:
        print(f"{printable(str(path))}: {_judgement(reading)}", file=sys.stderr)
        return
    encoding = sys.stdout.encoding or "utf-8"
    text = saved(reading.configuration).encode(encoding, "backslashreplace")
    print(text.decode(encoding), end="")


def _as_object(path: Path, reading: Reading) -> dict[str, object]:
    return {
        "file": str(path),
        "good": reading.configuration is not None,
        "commands": reading.commands,
        "findings": [_finding(finding) for finding in reading.findings],
        "without_effect": [{"line": n.place.line, "command": n.words} for n in reading.notes],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity.value,
        "line": finding.place.line,
        "column": finding.place.column,
        "problem": finding.problem,
        "remedy": finding.remedy,
    }


def _judgement(reading: Reading) -> str:
    warnings = sum(finding.severity is Severity.WARNING for finding in reading.findings)
    errors = sum(finding.severity is Severity.ERROR for finding in reading.findings)
    counts = [_count(reading.commands, "command")]
    counts += [_count(errors, "error")] if errors else []
    counts += [_count(warnings, "warning")] if warnings else []
    return f"{'bad' if errors else 'good'} ({', '.join(counts)})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
