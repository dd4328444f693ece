"""The state directory: the lock, the journal and the counters of an appliance.

A machine may have several appliances, one a network namespace; their files bear its number.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from appliance.errors import PixguardError


def counters_file(state: Path) -> Path:
    """Where the appliance of this network namespace writes its counters.

    Args:
        state: the box file's state directory.
    """
    return state / f"counters-{_namespace()}.json"


def journal_file(state: Path) -> Path:
    """Where it keeps what must be put back after a crash.

    Args:
        state: the box file's state directory.
    """
    return state / f"changes-{_namespace()}.json"


def write(path: Path, text: str, lasting: bool = False) -> None:
    """Put a file in the place of another: a reader sees the old one or the new one, whole.

    Args:
        path: the file; only its owner may read it.
        text: its content.
        lasting: whether it is whole after a power failure, too.

    Raises:
        OSError: it cannot be written; the old one is as it was.
    """
    # The temporary file has mode 0600, and so has the file that it becomes.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """See to it that this network namespace has one appliance, and that one has a directory.

    The directory is removed at the end, unless somebody else has something in it.

    Args:
        state: the box file's state directory.

    Raises:
        PixguardError: there is one already, or the directory cannot be made.
    """
    path = state / f"lock-{_namespace()}"
    try:
        handle = _lock(path)
    except BlockingIOError:
        raise PixguardError("another pixguard is the firewall of this network namespace") from None
    except OSError as error:
        raise PixguardError(
            f"{state}: cannot use the directory: {error.strerror}; `state` in the box file names it"
        ) from error
    try:
        yield
    finally:
        counters_file(state).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            state.rmdir()
        os.close(handle)


def _lock(path: Path) -> int:
    """Take the lock that a file is, and return its descriptor."""
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever had it last may remove the directory before the file is made in it, or the file
        # before it is locked.
        with suppress(FileNotFoundError), ExitStack() as undo:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            undo.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                undo.pop_all()
                return handle


def _namespace() -> int:
    """The number of the network namespace that the caller is in."""
    # The thread's: /proc/self is the main thread's.
    return Path("/proc/thread-self/ns/net").stat().st_ino
