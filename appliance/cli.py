"""The command line."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click

from appliance import __version__
from appliance.errors import PixguardError, printable

FILE = click.Path(path_type=Path, readable=False)  # who opens it says why that cannot be

INTERRUPTED = 130
"""What a shell reports of a program that SIGINT ended."""

_UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class Program(click.Group):
    """A group of commands that ends in a message and an exit code, never in a traceback."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        """Run a command and exit with the code that it returns.

        A user's mistake becomes a message, in which nothing can upset a terminal. Output that
        cannot be written is told in one line; a pipe that nobody reads any more, not at all.

        Args:
            arguments: as click's own `main` takes them.
            options: likewise.
        """
        try:
            try:
                status = super().main(*arguments, **options | {"standalone_mode": False})
            finally:
                if sys.stdout:
                    sys.stdout.flush()
        except PixguardError as error:
            _say(f"pixguard: {_escaped(str(error))}")
            status = 1
        except click.ClickException as error:
            shown = StringIO()
            error.show(shown)
            _say(_escaped(shown.getvalue().rstrip("\n")))
            status = error.exit_code
        except click.Abort:
            status = INTERRUPTED
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            if error.errno != errno.EPIPE:
                _say(f"pixguard: the output cannot be written: {error.strerror}")
            status = 1
        for stream in (sys.stdout, sys.stderr):
            if stream:
                _empty(stream)
        sys.exit(status)

    def invoke(self, context: click.Context) -> object:
        """Run the command; Ctrl-C ends it without a word."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            return INTERRUPTED


def _escaped(message: str) -> str:
    """A message, which may repeat what a user typed, in printable lines."""
    return "\n".join(map(printable, message.split("\n")))


def _say(message: str) -> None:
    with suppress(OSError):
        click.echo(message, err=True)


def _empty(stream: TextIO) -> None:
    """Throw away what a stream holds and cannot write, or Python tries again at the end."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


# With `color`, echo leaves control characters to be escaped instead of taking them out.
@click.group(cls=Program, context_settings={"color": True})
@click.version_option(__version__, prog_name="pixguard")
def main() -> None:
    """Do to mail what a Cisco PIX or ASA in the path does."""


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--lenient", is_flag=True, help="Leave unknown commands out, with a warning.")
@click.option("--print", "print_", is_flag=True, help="Print it as a device does instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
def check(files: tuple[Path, ...], lenient: bool, print_: bool, as_json: bool) -> int:
    """Parse rule files and say what is wrong with them (exit 1 if anything is).

    With --print, the configuration goes to standard output, and what is wrong to standard error.
    """
    from appliance.config.check import Output, check_files

    if print_ and as_json:
        raise click.UsageError("--print and --json cannot be given together")
    output = Output.CONFIGURATION if print_ else Output.JSON if as_json else Output.TEXT
    return check_files(files, lenient, output)


@main.command()
@click.argument("file", type=FILE, metavar="FILE")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice(["6.3", "8.2", "8.4"]),
    help="The version whose dialect is wanted.",
)
@click.option("--write", "out", type=FILE, help="Write it to this file instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the report.")
def convert(file: Path, target: str, out: Path | None, as_json: bool) -> int:
    """Print the policy of a rule file in the dialect of another version.

    What cannot be said there goes to standard error, line by line (exit 1 if there is anything).
    """
    from appliance.convert.command import convert_file

    return convert_file(file, target, out, as_json)


@main.command()
def releases() -> None:
    """Print the releases that can be imitated, their traits, and what those rest on."""
    from appliance.smtp.traits import TRAITS, faults, rows

    table = rows()
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    click.echo("\nWhat the traits rest on:")
    for name, (_, source) in TRAITS.items():
        click.echo(f"  {name}: {source}")
    click.echo("\nFaults that the box file can switch on (bugs):")
    for line in faults():
        click.echo(f"  {line}")


@main.command()
@click.option("--config", required=True, type=FILE, help="Rule file.")
@click.option("--box", type=FILE, required=True, help="Box file.")
@click.option("--replace", is_flag=True, help="Take the place of one that runs, and its mail.")
def run(config: Path, box: Path, replace: bool) -> int:
    """Be the firewall of this machine (root, or the service's user)."""
    from appliance.live.appliance import run_appliance

    return run_appliance(config, box, replace)


@main.command()
@click.option("--box", type=FILE, help="Box file.")
@click.option("--undo", is_flag=True, help="Let pass again what the machine forwards.")
def close(box: Path | None, undo: bool) -> int:
    """Let nothing pass between the interfaces while the firewall is not up (root)."""
    from appliance.live.closed import close_interfaces, undo_close

    if undo:
        return undo_close()
    if box is None:
        raise click.UsageError("--box says between which interfaces, or --undo that it ends")
    return close_interfaces(box)


@main.command()
@click.option(
    "--box",
    type=FILE,
    default=Path("/etc/pixguard/box.yaml"),
    show_default=True,
    help="Box file of the appliance.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(box: Path, as_json: bool) -> int:
    """Say how the appliance is (exit 0: well, 1: not quite, 2: it does not run)."""
    from appliance.live.status import print_status

    return print_status(box, as_json)


@main.command()
@click.option("--config", required=True, type=FILE, help="Rule file.")
@click.option("--box", type=FILE, required=True, help="Box file.")
def rules(config: Path, box: Path) -> int:
    """Print the netfilter rules that a rule file becomes."""
    from appliance.live.compilation import print_rules

    return print_rules(config, box)


@main.command()
@click.option("--config", type=FILE, help="Rule file (default: the ready example).")
@click.option("--server", metavar="COMMAND", help="Mail server to run instead of the lab's own.")
@click.option("--keep", is_flag=True, help="Leave the lab standing at the end.")
@click.option(
    "--name",
    default="pixguard",
    show_default=True,
    help="What its namespaces' names begin with; labs of different names can stand together.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def lab(
    config: Path | None, server: str | None, keep: bool, name: str, command: tuple[str, ...]
) -> int:
    """Client, firewall and mail server in network namespaces (root).

    With COMMAND (after --), run it in the client's namespace instead of the scripted sessions.
    """
    from appliance.lab.show import run_lab

    return run_lab(config, server, keep, command, name)


@main.command()
@click.argument("captures", nargs=-1, required=True, type=FILE, metavar="CAPTURE...")
@click.option("--config", type=FILE, help="Rule file (default: permit all, inspect port 25).")
@click.option("--release", help="Release to inspect as, such as 6.3.")
@click.option(
    "--checksums",
    type=click.Choice(["auto", "verify", "ignore"]),
    default="auto",
    show_default=True,
    help="What a wrong TCP checksum means.",
)
@click.option("--write", type=FILE, metavar="OUT.pcap", help="Write what leaves the firewall.")
@click.option("--json", "json_", type=FILE, metavar="FILE", help="Write one object a connection.")
def replay(
    captures: tuple[Path, ...],
    config: Path | None,
    release: str | None,
    checksums: str,
    write: Path | None,
    json_: Path | None,
) -> int:
    """Send captures through the firewall; needs no root."""
    from appliance.replay.replay import replay_files

    return replay_files(captures, config, release, checksums, write, json_)


@main.command()
@click.option("--config", required=True, type=FILE, help="Rule file.")
@click.option("--box", type=FILE, help="Box file, if it says which release is imitated.")
@click.option("--pcap", type=FILE, metavar="CAPTURE", help="Trace the first packet of each flow.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a packet.")
@click.argument("packet", nargs=-1, metavar="[input INTERFACE PACKET]")
def trace(
    config: Path, box: Path | None, pcap: Path | None, as_json: bool, packet: tuple[str, ...]
) -> int:
    """Say which rule decides about a packet, and why.

    PACKET is `tcp SOURCE PORT DESTINATION PORT` (or udp), `icmp SOURCE TYPE CODE DESTINATION`, or
    another protocol with its two addresses.
    """
    from appliance.trace.command import trace_packets

    return trace_packets(config, box, pcap, packet, as_json)


@main.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option(
    "--packets",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    metavar="NUMBER",
    help="How many packets to try at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def diff(old: Path, new: Path, packets: int, as_json: bool) -> int:
    """Say which packets fare differently under two rule files (exit 1 if any do).

    Packets are made from the edges of what both files say, and sent through both policies.
    """
    from appliance.diff.command import diff_files

    return diff_files(old, new, packets, as_json)


@main.command()
@click.argument("target", metavar="HOST[:PORT]")
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the connection and for each reply.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def probe(target: str, timeout: int, as_json: bool) -> None:
    """Say whether there is a Mailguard in the path to a mail server, and of which release."""
    from appliance.probe.command import probe_server, read_target

    host, port = read_target(target)
    probe_server(host, port, timeout, as_json)
