"""Files that replay writes: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from appliance.errors import PixguardError, printable

STANDARD_OUTPUT = Path("-")


class Output:
    """A file that is being written.

    Args:
        path: its name, for messages.
        file: where the bytes go.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path = path
        self._file = file

    def write(self, data: bytes) -> None:
        """Write some bytes.

        Raises:
            PixguardError: if that fails.
        """
        with _checked(self._path):
            self._file.write(data)


@contextmanager
def open_output(path: Path) -> Iterator[Output]:
    """Open a file for writing that takes its name only when all has been written.

    A pipe or a device is written to as it is, and so is `-`, standard output.

    Args:
        path: the file's name.

    Raises:
        PixguardError: if it cannot be written.
    """
    final = partial = None
    if path == STANDARD_OUTPUT:
        file: IO[bytes] = sys.stdout.buffer
    else:
        with _checked(path):
            if path.exists() and not path.is_file():
                file = path.open("wb")
            else:
                final = path.resolve()  # what a symbolic link points to, not the link
                partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
                file = partial.open("xb")
    try:
        yield Output(path, file)
        with _checked(path):
            file.flush()
            if partial and final:
                os.fsync(file.fileno())
                partial.replace(final)
    finally:
        if file is not sys.stdout.buffer:
            # What could not be flushed has been reported, and cannot be at closing either.
            with suppress(OSError):
                file.close()
        if partial:
            partial.unlink(missing_ok=True)


@contextmanager
def _checked(path: Path) -> Iterator[None]:
    """Turn an error of the system into a message that names the file."""
    try:
        yield
    except OSError as error:
        problem = error.strerror or error
        raise PixguardError(f"{printable(str(path))}: cannot be written: {problem}") from None
