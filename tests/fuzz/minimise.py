"""Make an input at which something is wrong shorter: `python -m tests.fuzz.minimise TARGET FILE`.

The file is overwritten. No fuzzer is needed for it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.fuzz.target import TARGETS


def minimised(one_input: Callable[[bytes], None], data: bytes) -> bytes:
    """An input without the bytes that the same thing is wrong without.

    Args:
        one_input: the target's.
        data: the input.
    """
    wrong = _wrong(one_input, data)
    before = None
    while wrong and data != before:
        before = data
        size = len(data)
        while size := size // 2:
            at = 0
            while at < len(data):
                shorter = data[:at] + data[at + size :]
                if _wrong(one_input, shorter) == wrong:
                    data = shorter
                else:
                    at += size
    return data


def _wrong(one_input: Callable[[bytes], None], data: bytes) -> tuple[str, str, int | None] | None:
    """What is wrong, by the kind of the exception and where it was raised."""
    try:
        one_input(data)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return type(error).__name__, place.filename, place.lineno
    return None


if __name__ == "__main__":
    name, file = sys.argv[1:]
    path = Path(file)
    one_input, data = import_module(TARGETS[name].module).one_input, path.read_bytes()
    if _wrong(one_input, data) is None:
        sys.exit(f"{file}: nothing is wrong")
    path.write_bytes(minimised(one_input, data))
    print(f"{file}: {path.stat().st_size} bytes")
