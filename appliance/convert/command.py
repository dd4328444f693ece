"""`pixguard convert`: a rule file in the dialect of another version, printed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from appliance.config.load import read_file
from appliance.convert.loss import Loss
from appliance.convert.proof import Proven, proven
from appliance.errors import FindingsError, PixguardError, printable
from appliance.live.state import write as write_file

WHOLE, LOSSY, TROUBLE = 0, 1, 2
"""Exit codes: all has been said, something could not be, a file cannot be used."""


def convert_file(path: Path, target: str, out: Path | None, as_json: bool) -> int:
    """Print a rule file as another version would, and report what that cannot say.

    Args:
        path: the rule file.
        target: the version, one of `conversion.TARGETS`.
        out: the file to write instead of standard output, None for that.
        as_json: whether to print one JSON object, with the report in it.

    Returns:
        the exit code: 0 if all has been said, 1 if something could not be, 2 if a file cannot be
        read or written.
    """
    try:
        reading = read_file(path)
        if reading.configuration is None:
            raise FindingsError(reading.findings)
        made = proven(reading.configuration, target)
        text = "".join(f"{line}\n" for line in made.lines)
        if out is not None:
            _write(out, text)
    except PixguardError as error:
        for line in str(error).split("\n"):
            click.echo(f"pixguard: {printable(line)}", err=True)
        return TROUBLE
    if as_json:
        click.echo(json.dumps(_as_object(path, target, made, text)))
    else:
        for loss in made.losses:
            click.echo(loss.shown(str(path)), err=True)
        if out is None:
            click.echo(text, nl=False)
    return LOSSY if made.losses else WHOLE


def _write(out: Path, text: str) -> None:
    try:
        write_file(out, text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PixguardError(f"{out}: {reason}") from None


def _as_object(path: Path, target: str, made: Proven, text: str) -> dict[str, object]:
    return {
        "file": str(path),
        "to": target,
        "configuration": text,
        "lost": [_loss(path, each) for each in made.losses],
    }


def _loss(path: Path, loss: Loss) -> dict[str, object]:
    place = loss.place
    return {
        "file": place.file if place else str(path),
        "line": place.line if place else 0,
        "what": loss.what,
        "becomes": loss.becomes,
    }
