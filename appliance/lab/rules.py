"""Where the ready rule files are: in a checkout, or where the wheel puts them."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import appliance
from appliance.errors import PixguardError


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
