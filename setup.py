"""Builds the package; with PIXGUARD_COMPILE=1, its engine compiled by mypyc (docs/performance.md).

Everything else that is said of the package stands in setup.cfg.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import setup

ENGINE = (
    "admission.py",
    "events.py",
    "firewall.py",
    "flows.py",
    "limits.py",
    "opening.py",
    "verdict.py",
    "live/admission.py",
    "live/meter.py",
    "live/queue.py",
    "live/rate.py",
    "live/record.py",
    "live/worker.py",
    "packet/*.py",
    "smtp/*.py",
    "tcp/*.py",
)
"""The modules that packets pass, below appliance/."""


def extensions() -> list[object]:
    """The engine as extension modules, if they are asked for."""
    if os.environ.get("PIXGUARD_COMPILE") != "1":
        return []
    from mypyc.build import mypycify  # noqa: PLC0415  (only who compiles has it)

    appliance = Path(__file__).parent / "appliance"
    paths = sorted(
        path.relative_to(appliance.parent) for pattern in ENGINE for path in appliance.glob(pattern)
    )
    return list(mypycify([str(path) for path in paths if path.name != "__init__.py"]))


setup(ext_modules=extensions())
