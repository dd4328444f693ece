"""A computer that runs virtual machines, for one test: libvirt and Vagrant in a machine of its own.

It has processes, mounts, a /run and networks of its own (tests/e2e/machine.py); of the real one's
libvirt it sees the programs alone, neither its settings nor its machines. So nothing is stopped,
changed or left there, however this ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.machine import PROJECT, Machine, running_machine
from tests.waiting import eventually

HIDDEN = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
"""Directories of libvirt that are replaced by empty ones."""

QEMU = """\
user = "root"
group = "root"
security_driver = "none"
remember_owner = 0
dynamic_ownership = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""
"""qemu.conf where there are no users, control groups or services to lean on."""

VIRSH = ("virsh", "--connect", "qemu:///system")
BRIDGE = re.compile(r"^Bridge:\s+(\S+)$", re.MULTILINE)


class Host:
    """The computer.

    Args:
        machine: what it runs in.
        work: a directory that both see, for what is large.
        driver: what the Vagrantfile takes as PIXGUARD_LIBVIRT_DRIVER.
    """

    def __init__(self, machine: Machine, work: Path, driver: str) -> None:
        self.machine = machine
        self.work = work
        self._ssh_config = work / "ssh_config"
        self._vagrant = {
            "VAGRANT_HOME": work / "vagrant.d",
            "VAGRANT_DOTFILE_PATH": work / "vagrant",
            "VAGRANT_CWD": PROJECT / "vagrant",
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
            "PIXGUARD_BOX": "pixguard",
            "PIXGUARD_LIBVIRT_DRIVER": driver,
        }

    def start_libvirt(self) -> None:
        """Start libvirt's daemon, without a service manager."""
        for directory in HIDDEN:
            own = self.work / directory.strip("/").replace("/", "-")
            own.mkdir()
            self.machine.output("mount", "--bind", str(own), directory)
        self.machine.output("mount", "-t", "sysfs", "sysfs", "/sys")
        self.machine.path("/etc/libvirt/qemu.conf").write_text(QEMU)
        self.machine.path("/var/lib/libvirt/images").mkdir()
        self.machine.start("libvirtd")
        eventually(lambda: self.machine.run(*VIRSH, "list").returncode == 0, "libvirt answers")

    def vagrant(self, *arguments: str, timeout: float = 1200) -> str:
        """Run vagrant; it must not fail.

        Args:
            arguments: what comes after `vagrant`.
            timeout: seconds that it may take.
        """
        variables = [f"{name}={value}" for name, value in self._vagrant.items()]
        done = self.machine.run("env", *variables, "vagrant", *arguments, timeout=timeout)
        with (self.work / "log").open("a") as log:
            log.write(f"$ vagrant {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, f"vagrant {arguments}: {done.stdout[-4000:]}{done.stderr}"
        return done.stdout

    def virsh(self, *arguments: str) -> str:
        """What a command of virsh prints; it must not fail."""
        return self.machine.output(*VIRSH, *arguments)

    def bridge(self, network: str) -> str:
        """The interface of this computer that is the switch of a network."""
        output = self.virsh("net-info", network)
        found = BRIDGE.search(output)
        assert found, output
        return found[1]

    def learn_ways(self, *names: str) -> None:
        """Ask Vagrant how its machines are reached, so that it need not be asked each time."""
        self._ssh_config.write_text("".join(self.vagrant("ssh-config", name) for name in names))

    def ssh(self, name: str, command: str) -> list[str]:
        """The command that has a virtual machine's shell run one."""
        options = ("ConnectTimeout=10", "ServerAliveInterval=5", "BatchMode=yes")
        flags = [flag for option in options for flag in ("-o", option)]
        return ["ssh", "-F", str(self._ssh_config), *flags, name, command]


@contextmanager
def running_host(work: Path, driver: str) -> Iterator[Host]:
    """A computer for the length of a `with` block.

    Args:
        work: an empty directory, not below /run or /tmp, which the computer has for itself.
        driver: kvm or qemu.
    """
    with running_machine() as machine:
        host = Host(machine, work, driver)
        host.start_libvirt()
        yield host
