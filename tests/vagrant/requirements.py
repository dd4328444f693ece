"""What the proof needs of a computer, and whether this one has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.namespaces import obstacle

COMMANDS = {
    "dnsmasq": "dnsmasq-base",
    "extlinux": "extlinux",
    "gcc": "gcc",
    "ip": "iproute2",
    "libvirtd": "libvirt-daemon-system",
    "losetup": "util-linux",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "postfix": "postfix",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "rsync": "rsync",
    "sfdisk": "fdisk",
    "ssh": "openssh-client",
    "swaks": "swaks",
    "vagrant": "vagrant, vagrant-libvirt",
    "virsh": "libvirt-clients",
}
"""Programs, and the Debian packages that have them."""

PATIENCE = 3
"""Seconds for a guest of five instructions; emulated it takes half a second."""

# mov dx, 0xf4; mov al, 0x10; out dx, al; hlt: the device below ends QEMU with 2 * 0x10 + 1.
_LAST_WISH = bytes.fromhex("baf400 b010 ee f4")
_FAREWELL = 0x21


def shortcomings() -> list[str]:
    """What is missing here, a sentence each."""
    found = []
    if obstacle():
        found.append(obstacle())
    if not Path("/etc/debian_version").exists() or os.uname().machine != "x86_64":
        found.append("the box is a Debian for amd64, made from this machine's own archive")
    missing = sorted({COMMANDS[name] for name in COMMANDS if not shutil.which(name)})
    if missing:
        found.append(f"install: {', '.join(missing)} (`scripts/setup.sh vagrant` does, if it can)")
    if not Path("/dev/loop-control").exists():
        found.append("there are no loop devices, and the box's boot loader is put on one")
    return found


def guest_runs(accelerator: str) -> bool:
    """Whether a guest runs under an accelerator: /dev/kvm may be there and slower than emulation.

    Args:
        accelerator: kvm or tcg.
    """
    with tempfile.NamedTemporaryFile(prefix="pixguard-guest-") as disk:
        disk.write(_LAST_WISH.ljust(510, b"\0") + b"\x55\xaa")
        disk.flush()
        command = [
            *("qemu-system-x86_64", "-accel", accelerator, "-nodefaults", "-display", "none"),
            *("-drive", f"file={disk.name},format=raw,if=ide"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        ]
        try:
            done = subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == _FAREWELL
