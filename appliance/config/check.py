"""`pixguard check`: rule files judged, without anything being run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from appliance.config.load import Reading, read_file
from appliance.errors import PixguardError, Severity, listing, printable


def check_files(paths: Iterable[Path]) -> int:
    """Print what is wrong with each file.

    Args:
        paths: the rule files.

    Returns:
        0 if all can be used, whatever warnings there are; 1 if one has an error or cannot be read.
    """
    status = 0
    for path in paths:
        try:
            reading = read_file(path)
        except PixguardError as error:
            print(error)
            status = 1
            continue
        for shown in listing(reading.findings):
            print(shown)
        print(f"{printable(str(path))}: {_judgement(reading)}")
        if reading.configuration is None:
            status = 1
    return status


def _judgement(reading: Reading) -> str:
    warnings = sum(finding.severity is Severity.WARNING for finding in reading.findings)
    errors = len(reading.findings) - warnings
    counts = [_count(reading.commands, "command")]
    counts += [_count(errors, "error")] if errors else []
    counts += [_count(warnings, "warning")] if warnings else []
    return f"{'bad' if errors else 'good'} ({', '.join(counts)})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
