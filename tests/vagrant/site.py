"""The machines of the Vagrantfile, up: a router with a client and a mail server on its networks.

The router is always a virtual machine. The others are, too, or they are namespaces on its networks,
since three emulated processors take their time.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance.lab.topology import CLIENT, INSIDE, OUTSIDE, SERVER, SERVER_MAPPED
from tests.e2e.machine import PROJECT
from tests.e2e.postfix import MAILBOX, Postfix
from tests.vagrant.box import Box
from tests.vagrant.host import Host, running_host
from tests.vagrant.place import Mailer, Place
from tests.vagrant.steps import Steps
from tests.waiting import eventually

MACHINES = ("router", "server", "client")
GUEST_PROJECT = PurePosixPath("/opt/pixguard")
LINKS = (
    ("client", f"{CLIENT}/24", OUTSIDE, "pixguard-outside"),
    ("server", f"{SERVER}/24", INSIDE, "pixguard-inside"),
)
"""Namespaces, their addresses, the router's on the same network, and the network."""

SETTINGS = {
    "client": {
        "myhostname": "client.example.org",
        "inet_interfaces": f"{CLIENT}, 127.0.0.1",
        "virtual_mailbox_domains": "localhost",
        "relayhost": f"[{SERVER_MAPPED}]",
    },
    "server": {
        "myhostname": "mail.example.com",
        "inet_interfaces": f"{SERVER}, 127.0.0.1",
        "virtual_mailbox_domains": "example.com",
    },
}
"""What the Postfix of a namespace says, as vagrant/provision.sh has it."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a test of the machines needs.

    Args:
        host: the computer that they run on.
        steps: what was done, timed.
        router: the firewall.
        client: the Postfix outside, which relays to the server.
        server: the Postfix inside.
    """

    host: Host
    steps: Steps
    router: Place
    client: Mailer
    server: Mailer


@contextmanager
def site(work: Path, steps: Steps, *, kvm: bool, all_virtual: bool) -> Iterator[Site]:
    """Make a box and bring its machines up, for the length of a `with` block.

    Args:
        work: an empty directory, not below /run or /tmp.
        steps: told what is done.
        kvm: whether it is of use.
        all_virtual: whether all are virtual machines, or the router alone.
    """
    work.chmod(0o755)  # for dnsmasq and Postfix, which change their user
    box = Box(work)
    with steps.step("fetch and compile what the box needs from the package index"):
        box.fetch_wheels()
    with steps.step("mmdebstrap: install Debian for the box"):
        box.install_debian()
    with steps.step("make a Vagrant box of it"):
        box.customise()
        box.pack()
    with running_host(work, "kvm" if kvm else "qemu") as host:
        with steps.step("vagrant box add"):
            host.vagrant("box", "add", "--name", "pixguard", str(box.path))
            box.path.unlink()
        machines = MACHINES if all_virtual else MACHINES[:1]
        with steps.step(f"vagrant up {' '.join(machines)}"):
            host.vagrant("up", *machines)
            host.learn_ways(*machines)
        client, server = _guests(host) if all_virtual else _namespaces(host)
        yield Site(host, steps, _guest(host, "router"), client, server)
        with steps.step("vagrant destroy"):
            host.vagrant("destroy", "--force")
            assert host.virsh("list", "--all", "--name").split() == []


def _guest(host: Host, name: str) -> Place:
    def wrap(command: list[str]) -> list[str]:
        return host.machine.command(*host.ssh(name, f"sudo {shlex.join(command)}"))

    return Place(wrap, GUEST_PROJECT)


def _guests(host: Host) -> tuple[Mailer, Mailer]:
    client, server = (
        Mailer(_guest(host, name), "/var/log/postfix.log", "/var/mail/vagrant")
        for name in ("client", "server")
    )
    return client, server


def _namespaces(host: Host) -> tuple[Mailer, Mailer]:
    mailers = {}
    for name, address, gateway, network in LINKS:
        inside = ("ip", "-n", name)
        for command in (
            ("ip", "netns", "add", name),
            ("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name),
            ("ip", "link", "set", name, "master", host.bridge(network), "up"),
            (*inside, "link", "set", "lo", "up"),
            (*inside, "link", "set", "eth0", "up"),
            (*inside, "address", "add", address, "dev", "eth0"),
            (*inside, "route", "add", "default", "via", gateway),
        ):
            host.machine.output(*command)
        postfix = Postfix(host.work / name, SETTINGS[name])
        place = _namespace(host, name)
        host.machine.start("ip", "netns", "exec", name, *postfix.command)
        eventually(lambda postfix=postfix: "daemon started" in postfix.log(), f"{name}'s Postfix")
        mail = postfix.directory / "mail" / MAILBOX / "new" / "*"
        mailers[name] = Mailer(place, str(postfix.directory / "log"), str(mail))
    return mailers["client"], mailers["server"]


def _namespace(host: Host, name: str) -> Place:
    def wrap(command: list[str]) -> list[str]:
        return host.machine.command("ip", "netns", "exec", name, *command)

    return Place(wrap, PurePosixPath(PROJECT))
