"""The lab's rule file: whether it can be used, and where the ready ones are."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import appliance
from appliance.box import Box
from appliance.config.load import load_configuration
from appliance.errors import PixguardError, printable
from appliance.lab.topology import INTERFACES
from appliance.live.compilation import compile_rules


def ready_example(name: str) -> Path:
    """A ready rule file.

    Args:
        name: its name, "pix-6.3.conf".

    Raises:
        PixguardError: it is not there.
    """
    checkout = Path(appliance.__file__).resolve().parent.parent / "rules"
    installed = Path(sysconfig.get_path("data")) / "share" / "pixguard" / "rules"
    for directory in (checkout, installed):
        if (directory / name).is_file():
            return directory / name
    raise PixguardError(
        f"the ready example {name} is neither in {checkout} nor in {installed}; "
        "name a rule file with --config"
    )


def check_rules(path: Path) -> None:
    """Check that a rule file can be used in the lab, before anything is put up.

    Args:
        path: the rule file.

    Raises:
        PixguardError: it cannot be read, or it names other interfaces than the lab has.
        FindingsError: it has errors; all of them.
    """
    configuration = load_configuration(path)
    named = [each.name for each in configuration.interfaces]
    if missing := [each for each in INTERFACES if each not in named]:
        raise PixguardError(
            f"{printable(str(path))}: names no interface {' or '.join(missing)}; the lab's "
            f"firewall has the interfaces {' and '.join(INTERFACES)}"
        )
    box = Box(interfaces=tuple((each, each) for each in INTERFACES))
    box.inspect_as(configuration.version)
    compile_rules(configuration, box)
