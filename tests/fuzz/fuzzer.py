"""One target under atheris, in a process of its own: `python -m tests.fuzz.fuzzer MODULE FLAGS`.

The flags are libFuzzer's. Only here is atheris needed.
"""

from __future__ import annotations

import sys
from importlib import import_module

import atheris

_INSTRUMENTED = ["appliance", "yaml"]


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    name, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=_INSTRUMENTED):
        target = import_module(name)
    atheris.Setup([sys.argv[0], f"-max_len={target.LONGEST}", *flags], target.one_input)
    atheris.Fuzz()


main()
