"""The state directory: the lock, the journal and the counters of an appliance.

A machine may have several appliances, one a network namespace; their files bear its number.
"""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from appliance.errors import PixguardError

GLANCE = 0.25
"""Seconds after which a lock that is held is no longer taken for somebody's look at it."""

PATIENCE = 30.0
"""Seconds that another appliance has to hand over."""


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


def connections_file(state: Path, worker: int) -> Path:
    """Where a worker writes its connections down for the one that takes its place.

    Args:
        state: the box file's state directory.
        worker: the worker, from 0.
    """
    return state / f"connections-{_namespace()}-{worker}"


def discard_connections(state: Path, first: int = 0) -> None:
    """Remove what workers have written down.

    Args:
        state: the box file's state directory.
        first: the first worker concerned.
    """
    while (path := connections_file(state, first)).exists():
        path.unlink()
        first += 1


def fault_file(state: Path, number: int) -> Path:
    """Where what is needed to have the engine fail again is kept.

    Args:
        state: the box file's state directory.
        number: counts them, from 1.
    """
    return state / f"fault-{_namespace()}-{number}.json"


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
def alone(state: Path, replace: bool) -> Iterator[bool]:
    """See to it that this network namespace has one appliance, and that one has a directory.

    The directory is removed at the end, unless somebody else has something in it.

    Args:
        state: the box file's state directory.
        replace: whether to ask the one that there is to hand over to this one.

    Yields:
        whether one has handed over, to this one or to whoever comes.

    Raises:
        PixguardError: there is one already, or it does not hand over, or the directory cannot be
            made.
    """
    path = state / f"lock-{_namespace()}"
    # Whoever is asked before it can hand over, is asked again.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # the log has just been opened
    asked = False
    begun = time.monotonic()
    while True:
        try:
            handle = _lock(path)
            break
        except BlockingIOError:
            waited = time.monotonic() - begun
            if not replace and waited > GLANCE:
                raise PixguardError(
                    "another pixguard is the firewall of this network namespace; "
                    "`pixguard run --replace` takes its place"
                ) from None
            if waited > PATIENCE:
                raise PixguardError("the other pixguard does not hand over") from None
            asked |= replace and _ask_to_hand_over(path)
            time.sleep(0.05)
        except OSError as error:
            raise PixguardError(
                f"{state}: cannot use the directory: {error.strerror}; "
                "`state` in the box file names it"
            ) from error
    try:
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield asked or _is_handed_over(state)
    finally:
        counters_file(state).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            state.rmdir()
        os.close(handle)


def is_running(state: Path) -> bool:
    """Whether this network namespace has an appliance.

    Args:
        state: the box file's state directory.

    Raises:
        PixguardError: the directory cannot be read.
    """
    try:
        handle = os.open(state / f"lock-{_namespace()}", os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise PixguardError(
            f"{state}: cannot read the directory: {error.strerror}; its owner or root may"
        ) from error
    try:
        # Shared, so that whoever else looks is not in the way.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _is_handed_over(state: Path) -> bool:
    """Whether connections are written down; workers empty the file once they have read it."""
    with suppress(FileNotFoundError):
        return connections_file(state, 0).stat().st_size > 0
    return False


def _ask_to_hand_over(lock: Path) -> bool:
    """Ask whoever holds a lock to hand over; tells whether that could be done."""
    with suppress(OSError, ValueError), ExitStack() as undo:
        number = int(lock.read_text())
        process = os.pidfd_open(number)
        undo.callback(os.close, process)
        # It removes the file before it ends, so this is its number still, and no one else's.
        if int(lock.read_text()) == number:
            signal.pidfd_send_signal(process, signal.SIGUSR1)
            return True
    return False


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
