"""`pixguard replay`: captures through the firewall, without root."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path

import click

from appliance.admission import Admit
from appliance.config.model import Version
from appliance.errors import PixguardError, one_line, printable
from appliance.interruption import interruptible
from appliance.replay.capture import CaptureError, read_capture, rereadable
from appliance.replay.checksums import Checksums, Judge
from appliance.replay.connections import Connections
from appliance.replay.frames import Loss
from appliance.replay.link import NAMES, Link
from appliance.replay.open_policy import OpenPolicy
from appliance.replay.output import STANDARD_OUTPUT, Output, open_output
from appliance.replay.passage import Passage
from appliance.replay.report import json_line, matched, summary
from appliance.replay.survey import Form, form, unreliable_senders
from appliance.replay.writer import PcapNgWriter, PcapWriter, Writer
from appliance.smtp.release import Release, choose
from appliance.syslog import Syslog

READ_WHOLE, NOT_READ_WHOLE = 0, 1
"""Exit codes."""

_NOT_READ = {
    Loss.CUT: "cut by the snap length of the capture",
    Loss.LINK: f"link type other than {', '.join(sorted(set(NAMES.values())))}",
}
"""Losses that mean that a capture was not read whole."""


def replay_files(
    captures: tuple[Path, ...],
    config: Path | None,
    release: str | None,
    checksums: str,
    write: Path | None,
    json_: Path | None,
) -> int:
    """Send captures through the firewall, one after the other, each through a fresh one.

    Args:
        captures: the captures; pcap or pcapng.
        config: rule file; None permits everything and inspects port 25.
        release: name of the release to inspect as; None for the rule file's, or 6.3.
        checksums: "auto", "verify" or "ignore".
        write: capture to write what leaves the firewall to.
        json_: file to write one JSON object a connection to; `-` for standard output.

    Returns:
        the exit code: 0 when all captures were read whole, 1 when not; 128 and the number of the
        signal when one ended it.

    Raises:
        PixguardError: a rule file that cannot be used, a file that cannot be written.
        click.UsageError: options that make no sense.
    """
    _check_names(captures, write, json_)
    with interruptible() as ending:
        try:
            return _replay(captures, config, release, Checksums(checksums), write, json_)
        except BaseException:
            if not ending:
                raise
            return ending.exit_code


def _replay(
    captures: tuple[Path, ...],
    config: Path | None,
    release: str | None,
    meaning: Checksums,
    write: Path | None,
    json_: Path | None,
) -> int:
    product, chosen, admit = _policy(config, release)
    code = READ_WHOLE
    with ExitStack() as stack:
        packets = stack.enter_context(open_output(write)) if write else None
        lines = stack.enter_context(open_output(json_)) if json_ else None
        files = [(str(path), stack.enter_context(rereadable(path))) for path in captures]
        sink = _writer(packets, [form(path, name) for name, path in files]) if packets else None
        for name, path in files:
            judge = Judge(meaning, partial(unreliable_senders, path, name))
            connections = Connections(Syslog(product, chosen), streams=lines is not None)
            passage = Passage(admit, connections, judge, sink)
            problems = _pass(passage, path, name)
            if passage.tally.read or not problems:
                for line in chain(
                    summary(name, judge.unreliable, passage.tally, connections.all),
                    matched(passage.maps),
                ):
                    click.echo(line, err=json_ == STANDARD_OUTPUT)
            if lines:
                for connection in connections.all:
                    lines.write(f"{json_line(connection)}\n".encode())
            for problem in problems:
                click.echo(f"pixguard: {problem}", err=True)
                code = NOT_READ_WHOLE
    return code


def _check_names(captures: tuple[Path, ...], write: Path | None, json_: Path | None) -> None:
    """Refuse to write over what is read, or two things to one file."""
    if write == STANDARD_OUTPUT:
        raise click.UsageError("--write needs the name of a file")
    taken = {path.resolve(): "a capture that is read" for path in captures}
    for option, path in (("--write", write), ("--json", json_)):
        if path is None or (path.exists() and not path.is_file()):
            continue  # a device or a pipe may be named twice
        if path.resolve() in taken:
            raise click.UsageError(f"{option} {path} is {taken[path.resolve()]}")
        taken[path.resolve()] = f"what {option} writes"


def _policy(config: Path | None, override: str | None) -> tuple[str, Release, Admit]:
    """The product and the release to imitate, and the policy."""
    if config is None:
        release = _release(None, override)
        return "PIX", release, OpenPolicy(release).admit
    # The language takes longer to import than a small capture to replay.
    from appliance.config.load import load_configuration  # noqa: PLC0415
    from appliance.policy.judgement import policy_of  # noqa: PLC0415

    configuration = load_configuration(config)
    version = configuration.version
    release = _release(version, override)
    product = version.product if version else "PIX"
    return product, release, policy_of(configuration, release).admit


def _release(version: Version | None, override: str | None) -> Release:
    try:
        return choose(version, override)
    except PixguardError as error:
        if override is None:
            raise
        raise click.UsageError(f"--release: {error}") from None


def _writer(file: Output, forms: list[Form]) -> Writer:
    """The writer for the frames of all captures: pcap holds one link type only."""
    links = frozenset[int]().union(*(each.links for each in forms))
    if len(links) > 1:
        return PcapNgWriter(file)
    link = next(iter(links), int(Link.ETHERNET))
    return PcapWriter(file, link, nanoseconds=any(each.nanoseconds for each in forms))


def _pass(passage: Passage, path: Path, name: str) -> list[str]:
    """Take a capture through the firewall; what of it could not be read, for the user."""
    problems = []
    try:
        for frame in read_capture(path, name):
            passage.receive(frame)
    except CaptureError as error:
        problems.append(str(error))
    passage.close()
    tally = passage.tally
    for loss, what in _NOT_READ.items():
        if loss in tally.first_lost:
            count = tally.dropped[loss.value]
            first = f"packet {tally.first_lost[loss]}"
            which = first if count == 1 else f"{count} packets, the first of them {first},"
            problems.append(f"{printable(name)}: {which} not replayed: {what}")
    problems += [
        f"{printable(name)}: packet {number}: the firewall failed and dropped the connection; "
        f"please report this with the capture: {one_line(trace)}"
        for number, trace in tally.faults
    ]
    return problems
