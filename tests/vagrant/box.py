"""A Vagrant box of this machine's own Debian, with all that provisioning would fetch in it.

A guest that comes from it reaches no network but those of the Vagrantfile. What is in it comes
from the archive and the package index that this machine itself uses.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PYTHON = "/usr/bin/python3"
"""Debian's, which the guest has, too: compiled wheels are for one version."""

PACKAGES = (
    *("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "dbus", "udev", "kmod"),
    *("openssh-server", "sudo", "rsync", "iproute2", "iptables", "nftables", "procps"),
    *("libnetfilter-queue1", "libseccomp2", "python3", "python3-venv"),
    *("make", "postfix", "swaks", "telnet"),
)
"""What a box needs, and what scripts/setup.sh and vagrant/provision.sh install."""

MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "ext4")
"""What the kernel needs to find its root."""

SIZE = 2 << 30
PARTITION_AT = 1 << 20

_NOT_COPIED = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__")
_GUEST = Path(__file__).with_name("guest.sh")
_KEYS = "rubygems-integration/all/gems/vagrant-*/keys/vagrant.pub"
_BOOT_CODE = Path("/usr/lib/syslinux/mbr/mbr.bin")

# The disk's file system is filled without a mount; only its boot loader needs one.
_INSTALL_BOOT_LOADER = """
loop=$(losetup --find --show --offset "$1" "$2")
trap 'umount "$3" 2>/dev/null; losetup --detach "$loop"' EXIT
mount "$loop" "$3" && extlinux --install "$3/boot/extlinux"
"""


class Box:
    """The box, made in steps.

    Args:
        work: an empty directory on a disk with some 4 GiB free.
    """

    def __init__(self, work: Path) -> None:
        self._work = work
        self._root = work / "root"
        self._project = work / "project"
        self._disk = work / "disk.img"
        self.path = work / "pixguard.box"

    def fetch_wheels(self) -> None:
        """Have pip fetch, and compile where need be, what the package depends on."""
        # pip builds where the source is, and leaves what it made.
        shutil.copytree(PROJECT, self._project, ignore=_NOT_COPIED)
        builder = self._work / "builder"
        _run(PYTHON, "-m", "venv", str(builder))
        _run(
            *(f"{builder}/bin/python", "-m", "pip", "wheel", "--quiet"),
            *("--disable-pip-version-check", "--wheel-dir", str(self._work / "wheels")),
            *(str(self._project), "setuptools>=68", "wheel"),
        )

    def install_debian(self) -> None:
        """Have mmdebstrap install the machine's own release, from its own archive."""
        # Before the kernel comes, so that its small initial file system is made but once.
        hook = " && ".join(
            (
                'cd "$1"',
                "mkdir -p etc/initramfs-tools/conf.d usr/share/initramfs-tools/modules.d",
                "echo MODULES=list >etc/initramfs-tools/conf.d/box",
                f"printf '%s\\n' {' '.join(MODULES)} >usr/share/initramfs-tools/modules.d/box",
            )
        )
        _run(
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"),
            f"--include={','.join(PACKAGES)}",
            *(f"--aptopt={path}" for path in _ways_to_the_archive()),
            f"--essential-hook={hook}",
            *(platform.freedesktop_os_release()["VERSION_CODENAME"], str(self._root)),
            *map(str, _sources()),
        )

    def customise(self) -> None:
        """Put the project into it and have guest.sh make a box of it."""
        [key] = Path("/usr/share").glob(_KEYS)
        shutil.copy(key, self._root / "root/vagrant.pub")
        shutil.copytree(self._work / "wheels", self._root / "root/wheels")
        shutil.copytree(PROJECT, self._root / "opt/pixguard", ignore=_NOT_COPIED)
        (self._root / "boot/extlinux").mkdir()
        enter = 'mount -t proc proc "$1/proc" && exec chroot "$1" bash -s'
        _run(
            *("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"),
            *("sh", "-c", enter, "sh", str(self._root)),
            stdin=_GUEST.read_text(),
        )

    def pack(self) -> None:
        """Make a disk that boots by itself of it, and a box of that."""
        with self._disk.open("wb") as file:
            file.truncate(SIZE)
        table = f"label: dos\nstart={PARTITION_AT // 512}, type=83, bootable\n"
        _run("sfdisk", "--quiet", str(self._disk), stdin=table)
        with self._disk.open("r+b") as file:
            file.write(_BOOT_CODE.read_bytes())
        blocks = f"{(SIZE - PARTITION_AT) // 1024}k"
        _run(
            *("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum_seed,^64bit"),
            *("-E", f"offset={PARTITION_AT}", "-d", str(self._root), str(self._disk), blocks),
        )
        mounted = self._work / "mounted"
        mounted.mkdir()
        _run(
            *("unshare", "--mount", "bash", "-euo", "pipefail", "-c", _INSTALL_BOOT_LOADER),
            *("bash", str(PARTITION_AT), str(self._disk), str(mounted)),
        )
        image = self._work / "box.img"
        _run("qemu-img", "convert", "-O", "qcow2", str(self._disk), str(image))
        metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": SIZE >> 30}
        (self._work / "metadata.json").write_text(json.dumps(metadata))
        (self._work / "Vagrantfile").write_text('Vagrant.configure("2") { |config| }\n')
        with tarfile.open(self.path, "w") as box:
            for name in ("metadata.json", "Vagrantfile", "box.img"):
                box.add(self._work / name, name)
        for big in (self._disk, image):
            big.unlink()
        shutil.rmtree(self._root)


def _sources() -> list[Path]:
    """The files that say where the machine's packages come from."""
    apt = Path("/etc/apt")
    found = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.sources"))]
    found += sorted(apt.glob("sources.list.d/*.list"))
    return [path for path in found if path.is_file() and path.stat().st_size]


def _ways_to_the_archive() -> list[Path]:
    """The files that say how it reaches them: proxies, certificates, dates."""
    files = sorted(Path("/etc/apt/apt.conf.d").iterdir())
    return [path for path in files if "Acquire::" in path.read_text()]


def _run(*command: str, stdin: str = "") -> None:
    done = subprocess.run(
        command,
        check=False,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=900,
        env=os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
    )
    assert done.returncode == 0, f"{command[0]} failed: {done.stdout}"
