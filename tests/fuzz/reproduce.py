"""Give inputs to a target, without atheris: `python -m tests.fuzz.reproduce TARGET FILE...`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from tests.fuzz.target import TARGETS

if __name__ == "__main__":
    name, *files = sys.argv[1:]
    for file in files:
        import_module(TARGETS[name].module).one_input(Path(file).read_bytes())
        print(f"{file}: nothing is wrong")
