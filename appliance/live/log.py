"""The appliance's log: lines with the time in front, to a file or to standard error."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TextIO

from appliance.errors import PixguardError, printable


class Log:
    """Where log lines go.

    Args:
        path: the file that they are appended to, None for standard error.

    Raises:
        PixguardError: the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO = sys.stderr
        self.reopen()

    def reopen(self) -> None:
        """Open the file again, so that it can be rotated.

        Raises:
            PixguardError: it cannot be opened; lines then go where they went.
        """
        if self._path is None:
            return
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            file = os.fdopen(handle, "w", encoding="ascii")
        except OSError as error:
            raise PixguardError(
                f"{self._path}: cannot open the log: {error.strerror}; `log` in the box file "
                "names it"
            ) from error
        self.close()
        self._file = file

    def write(self, text: str) -> None:
        """Write a line, stamped as the device does (`logging timestamp`).

        Args:
            text: the line, or several; what a terminal would act upon is escaped.
        """
        stamp = time.strftime("%b %d %Y %H:%M:%S")
        try:
            for line in text.split("\n"):
                self._file.write(f"{stamp}: {printable(line)}\n")
            self._file.flush()
        except OSError:
            pass  # a full disk or a closed terminal must not stop mail

    def close(self) -> None:
        """Close the file."""
        if self._file is not sys.stderr:
            self._file.close()
