"""What virtual machines would leave on a computer."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

DISK = Path("/var/tmp")  # noqa: S108
"""Where a directory with a prefix of ours is made; /tmp may be memory."""

WORK = "pixguard-vagrant-"

LIBVIRT = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/run/libvirt")
NETWORK = Path("/sys/class/net")
BLOCK = Path("/sys/block")


def traces() -> dict[str, set[str]]:
    """What there is now: libvirt's files and interfaces, and what has to do with our directory."""
    return {
        "files": {_described(path) for place in LIBVIRT for path in Path(place).rglob("*")},
        "interfaces": {path.name for kind in ("virbr*", "vnet*") for path in NETWORK.glob(kind)},
        "processes": {path.name for path in Path("/proc").glob("[0-9]*") if _is_ours(path)},
        "loops": {
            text for path in BLOCK.glob("loop*/loop/backing_file") if WORK in (text := _read(path))
        },
        "directories": {str(path) for path in DISK.glob(f"{WORK}*")},
    }


def _described(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return f"{path} {digest}"


def _is_ours(process: Path) -> bool:
    """Whether it was told of our directory, or sees it mounted somewhere."""
    return any(WORK in _read(process / name) for name in ("cmdline", "mountinfo"))


def _read(path: Path) -> str:
    """What is in a file; nothing, if it is gone by now."""
    with suppress(OSError):
        return path.read_text(errors="replace").strip()
    return ""
