"""The command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from appliance import __version__
from appliance.errors import PixguardError

FILE = click.Path(dir_okay=False, path_type=Path)


class Program(click.Group):
    """A group of commands that ends in a message and an exit code, never in a traceback."""

    def invoke(self, context: click.Context) -> object:
        """Run the command; a user's mistake becomes a message and exit code 1, Ctrl-C is 130."""
        try:
            return super().invoke(context)
        except PixguardError as error:
            click.echo(f"pixguard: {error}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)  # what a shell reports of a program that SIGINT ended


@click.group(cls=Program)
@click.version_option(__version__, prog_name="pixguard")
def main() -> None:
    """Do to mail what a Cisco PIX or ASA in the path does."""


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
def check(files: tuple[Path, ...]) -> None:
    """Parse rule files and say what is wrong with them (exit 1 if anything is)."""
    from appliance.config.check import check_files

    sys.exit(check_files(files))


@main.command()
@click.option("--config", required=True, type=FILE, help="Rule file.")
@click.option("--box", type=FILE, required=True, help="Box file.")
def run(config: Path, box: Path) -> None:
    """Be the firewall of this machine (root)."""
    from appliance.live.appliance import run_appliance

    sys.exit(run_appliance(config, box))


@main.command()
@click.option("--config", required=True, type=FILE, help="Rule file.")
@click.option("--box", type=FILE, required=True, help="Box file.")
def rules(config: Path, box: Path) -> None:
    """Print the netfilter rules that a rule file becomes."""
    from appliance.live.netfilter import print_rules

    sys.exit(print_rules(config, box))


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
) -> None:
    """Client, firewall and mail server in network namespaces (root).

    With COMMAND (after --), run it in the client's namespace instead of the scripted sessions.
    """
    from appliance.lab.show import run_lab

    sys.exit(run_lab(config, server, keep, command, name))


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
) -> None:
    """Send captures through the firewall; needs no root."""
    from appliance.replay.replay import replay_files

    sys.exit(replay_files(captures, config, release, checksums, write, json_))
