"""The netfilter rules that a configuration becomes, by the compiler of its language."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import click

from appliance.box import Box, load_box
from appliance.config.helpers import Helped
from appliance.config.language import OBJECTS
from appliance.config.load import load_configuration
from appliance.config.model import Configuration
from appliance.live.netfilter import Compiler, Rules
from appliance.live.object_netfilter import ObjectCompiler


def compile_rules(configuration: Configuration, box: Box, missing: Container[Helped] = ()) -> Rules:
    """The rules that a configuration becomes on a machine.

    An interface that the box file leaves out, or that is shut down, takes no part.

    Args:
        configuration: what the rule file says.
        box: which Linux interfaces and queues there are.
        missing: what the kernel has no helper for.

    Raises:
        PixguardError: the box file names an interface that the rule file does not.
        FindingsError: a translation cannot translate anything as written.
    """
    kind = ObjectCompiler if configuration.language >= OBJECTS else Compiler
    return kind(configuration, box, missing).rules()


def print_rules(config_path: Path, box_path: Path) -> int:
    """Print the netfilter rules that a rule file becomes; returns the exit code.

    Args:
        config_path: the rule file.
        box_path: the box file.
    """
    configuration, box = load_configuration(config_path), load_box(box_path)
    rules = compile_rules(configuration, box)
    for finding in box.left_out(configuration):
        click.echo(finding, err=True)
    click.echo(f"# iptables-restore --noflush\n{rules.filter.text()}{rules.nat.text()}", nl=False)
    if rules.raw.chains:
        click.echo(rules.raw.text(), nl=False)
    if rules.returns:
        click.echo(f"# nft -f -\n{rules.returns}", nl=False)
    click.echo(f"# ip6tables-restore --noflush\n{rules.filter6.text()}", nl=False)
    return 0
