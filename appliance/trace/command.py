"""`pixguard trace`: packets traced and printed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from appliance.box import load_box
from appliance.config.load import read_file
from appliance.errors import FindingsError, listing
from appliance.policy.judgement import policy_of
from appliance.smtp.release import choose
from appliance.syslog import Syslog
from appliance.trace.capture import CaptureTracer
from appliance.trace.packet import read_packet
from appliance.trace.trace import Source, Trace, as_object, described, text, trace


def trace_packets(
    config: Path, box: Path | None, capture: Path | None, words: tuple[str, ...], as_json: bool
) -> int:
    """Trace a packet, or the first one of each flow of a capture.

    Args:
        config: the rule file.
        box: the box file, None for none.
        capture: the capture, None for the packet that the words describe.
        words: see `appliance.trace.packet.FORMS`.
        as_json: whether to print a JSON object a packet instead of text.

    Returns:
        the exit code: 0, whatever became of the packets; 1 if a capture was not read whole.

    Raises:
        PixguardError: a file cannot be used.
        click.UsageError: the words describe no packet, or there is a capture, too.
    """
    if capture and words:
        raise click.UsageError("describe a packet, or give a capture with --pcap, not both")
    reading = read_file(config)
    configuration = reading.configuration
    if configuration is None:
        raise FindingsError(reading.findings)
    for shown in listing(reading.findings):
        click.echo(shown, err=True)
    machine = load_box(box) if box else None
    version = configuration.version
    release = machine.inspect_as(version) if machine else choose(version, None)
    policy = policy_of(configuration, release)
    syslog = Syslog(version.product if version else "PIX", release)
    source = Source(configuration, reading.shown)
    if machine:
        for finding in machine.left_out(configuration):
            click.echo(finding, err=True)
    if capture is None:
        packet = read_packet(words, configuration)
        if machine and packet.opening.ingress not in dict(machine.interfaces):
            raise click.UsageError(
                f"nothing comes in by {packet.opening.ingress}: the box file does not name it"
            )
        _print([trace(packet, policy.decide(packet.opening), syslog)], source, as_json)
        return 0
    tracer = CaptureTracer(policy, syslog)
    _print(tracer.traces(capture), source, as_json)
    if tracer.problem:
        click.echo(f"pixguard: {tracer.problem}", err=True)
    return 1 if tracer.problem else 0


def _print(traces: Iterable[Trace], source: Source, as_json: bool) -> None:
    for each in traces:
        if as_json:
            click.echo(json.dumps(as_object(each, source)))
            continue
        if each.number:
            begun = (
                "" if each.packet.opening.begins else ", of a flow that began before the capture"
            )
            click.echo(f"Packet {each.number}: {described(each.packet)}{begun}\n")
        for line in text(each, source):
            click.echo(line)
        if each.number:
            click.echo()
