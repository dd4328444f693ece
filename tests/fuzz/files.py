"""Inputs as files, for what reads files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_memory(data: bytes) -> Iterator[Path]:
    """A file in memory with some bytes in it.

    Args:
        data: the bytes.
    """
    descriptor = os.memfd_create("input")
    try:
        os.write(descriptor, data)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
