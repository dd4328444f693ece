"""What is changed on the machine, and that it is put back, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.box import Box
from appliance.errors import FindingsError, PixguardError
from appliance.live import kernel
from appliance.live.command import ip
from appliance.live.compilation import compile_rules
from appliance.live.iptables import install
from appliance.live.kernel import (
    Address,
    Changes,
    ProxyNeighbour,
    Route,
    Setting,
    Sysctl,
    wanted_settings,
)
from appliance.live.state import journal_file
from tests.config.eight import EIGHT, OBJECTS
from tests.namespaces import Namespace, Network, needs_namespaces
from tests.policy.rules import THREE_INTERFACES, TWO_INTERFACES, configuration

STATIC = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
BOX = Box(interfaces=(("outside", "out0"), ("inside", "in0")))
PROXY_DELAY = "net/ipv4/neigh/out0/proxy_delay"


def wanted(*parts: str) -> tuple[Setting, ...]:
    return wanted_settings(configuration(TWO_INTERFACES, *parts), BOX, liberal=False)


class TestWanted:
    """The pure part: what a configuration needs."""

    def test_all_of_it_in_order(self) -> None:
        assert wanted(STATIC) == (
            Address("out0", "203.0.113.1/24"),
            Address("in0", "10.1.1.1/24"),
            Route("out0", "0.0.0.0/0", "203.0.113.254", 1),
            Route("in0", "203.0.113.5/32", "", 0),
            ProxyNeighbour("out0", "203.0.113.5"),
            Sysctl(PROXY_DELAY, "0"),
            Sysctl("net/netfilter/nf_conntrack_tcp_loose", "0"),
            Sysctl("net/ipv4/conf/out0/forwarding", "1"),
            Sysctl("net/ipv4/conf/in0/forwarding", "1"),
        )

    def test_where_lengths_change_conntrack_is_liberal(self) -> None:
        liberal = wanted_settings(configuration(TWO_INTERFACES, STATIC), BOX, liberal=True)
        assert set(liberal) - set(wanted(STATIC)) == {
            Sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1")
        }
        assert isinstance(liberal[-1], Sysctl)
        assert liberal[-1].path.endswith("forwarding")  # nothing passes before it is so

    def answered(self, *parts: str) -> list[str]:
        return [each.address for each in wanted(*parts) if isinstance(each, ProxyNeighbour)]

    def test_a_port_form_is_answered_for_once(self) -> None:
        ports = "static (inside,outside) tcp 203.0.113.5 {} 10.1.1.5 {} netmask 255.255.255.255"
        assert self.answered(ports.format(25, 25), ports.format(80, 80)) == ["203.0.113.5"]

    def test_the_interface_form_needs_no_answer(self) -> None:
        assert self.answered("static (inside,outside) tcp interface 25 10.1.1.5 25") == []

    def test_identity_needs_no_answer(self) -> None:
        assert self.answered(STATIC.replace("203.0.113.5", "10.1.1.5")) == []

    def test_pools_are_answered_for_and_the_address_of_the_interface_is_not(self) -> None:
        nat = "nat (inside) 1 0 0"
        pool = "global (outside) 1 203.0.113.20-203.0.113.22"
        assert self.answered(nat, pool, "global (outside) 1 203.0.113.9") == [
            "203.0.113.20",
            "203.0.113.21",
            "203.0.113.22",
            "203.0.113.9",
        ]
        assert Route("in0", "203.0.113.21/32", "", 0) in wanted(nat, pool)
        assert self.answered(nat, "global (outside) 1 interface") == []

    def test_what_objects_become_is_answered_for(self) -> None:
        def answered(*lines: str) -> list[str]:
            settings = wanted_settings(configuration(EIGHT, OBJECTS, *lines), BOX, liberal=False)
            return [each.address for each in settings if isinstance(each, ProxyNeighbour)]

        static = "object network mail\n nat (inside,outside) static mapped"
        assert answered(static) == ["203.0.113.5"]
        assert answered(f"{static} no-proxy-arp") == []
        pool = "object network lan\n nat (inside,outside) dynamic pool interface"
        assert len(answered(static, pool)) == 11
        twice = "nat (inside,outside) source static mail mapped"
        assert answered(twice) == ["203.0.113.5"]
        assert answered(f"{twice} inactive") == []
        assert answered(twice.replace("mapped", "mail")) == []

    def test_nobody_is_answered_for_where_that_is_said(self) -> None:
        silent = "sysopt noproxyarp outside"
        assert self.answered(STATIC, silent) == []
        assert wanted(STATIC, silent) == wanted()

    def test_timeouts_that_are_stated_are_told_to_the_kernel(self) -> None:
        conntrack = "net/netfilter/nf_conntrack"
        stated = wanted("timeout conn 0:20:00 half-closed 0:05:00", "timeout udp 0 icmp 0:00:02")
        assert set(stated) - set(wanted()) == {
            Sysctl(f"{conntrack}_tcp_timeout_established", "1200"),
            Sysctl(f"{conntrack}_tcp_timeout_fin_wait", "300"),
            Sysctl(f"{conntrack}_tcp_timeout_close_wait", "300"),
            Sysctl(f"{conntrack}_udp_timeout", "2000000"),
            Sysctl(f"{conntrack}_udp_timeout_stream", "2000000"),
            Sysctl(f"{conntrack}_icmp_timeout", "2"),
        }

    def test_addresses_that_others_have_are_not_answered_for(self) -> None:
        network = "static (inside,outside) 203.0.113.0 10.1.2.0 netmask 255.255.255.0 0 0"
        answered = self.answered(network)
        assert len(answered) == 252
        others = {"203.0.113.0", "203.0.113.1", "203.0.113.254", "203.0.113.255"}
        assert not others & set(answered)

    def test_too_many_addresses_are_an_error(self) -> None:
        network = "static (inside,outside) 100.0.0.0 10.0.0.0 netmask 255.0.0.0 0 0"
        with pytest.raises(FindingsError, match=r"test.conf:6:1: more than 65536 mapped addresses"):
            wanted(network)

    def test_an_interface_that_the_box_lacks_is_left_alone(self) -> None:
        made = configuration(THREE_INTERFACES, "route dmz 192.0.2.0 255.255.255.0 172.16.1.2 1")
        assert wanted_settings(made, BOX, liberal=False) == wanted()


@dataclass
class Machine:
    """A namespace with two links, the forwarding and conntrack parameters as they come."""

    inner: Namespace
    journal: Path

    def apply(self, settings: Sequence[Setting]) -> None:
        self.inner.call(lambda: Changes(self.journal).apply(settings))

    def restore(self) -> None:
        self.inner.call(lambda: Changes(self.journal).restore())

    def state(self) -> dict[str, object]:
        """All that could be changed."""
        read = ("address", "route", "neighbour")
        shown: dict[str, object] = {each: self.inner.ip("-N", each, "show") for each in read}
        shown["proxies"] = self.inner.ip("neighbour", "show", "proxy")
        shown["parameters"] = {
            setting.path: self.parameter(setting.path)
            for setting in wanted(STATIC)
            if isinstance(setting, Sysctl)
        }
        return shown

    def parameter(self, path: str) -> str:
        return self.inner.call((kernel.PROC_SYS / path).read_text).strip()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Network() as network:
        inner, peer = network.namespace("machine"), network.namespace("peer")
        for name in ("in0", "out0"):
            inner.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
            network.link(inner, name, peer, f"{name}-peer")
        inner.call(install, compile_rules(configuration(TWO_INTERFACES), BOX))
        yield Machine(inner, tmp_path / "state" / "changes.json")


@needs_namespaces
class TestChanges:
    """On a machine of its own."""

    def test_applied_and_put_back(self, machine: Machine) -> None:
        before = machine.state()
        machine.apply(wanted(STATIC))
        after = machine.state()
        assert all(after[each] != before[each] for each in before if each != "neighbour")
        assert "203.0.113.5 dev out0" in str(after["proxies"])
        assert machine.journal.stat().st_mode & 0o777 == 0o600
        assert machine.journal.parent.stat().st_mode & 0o777 == 0o700
        machine.restore()
        assert machine.state() == before
        assert list(machine.journal.parent.iterdir()) == []

    def test_conntrack_is_liberal_for_as_long_as_wanted(self, machine: Machine) -> None:
        path = "net/netfilter/nf_conntrack_tcp_be_liberal"
        strict = machine.parameter(path)
        assert strict == "0"
        machine.apply(wanted_settings(configuration(TWO_INTERFACES), BOX, liberal=True))
        assert machine.parameter(path) == "1"
        machine.apply(wanted())
        assert machine.parameter(path) == strict

    def test_what_is_missing_is_told_and_not_made(self, machine: Machine) -> None:
        before = machine.state()
        settings = wanted(STATIC)
        missing = machine.inner.call(lambda: Changes(machine.journal).missing(settings))
        assert missing == list(settings)
        assert machine.state() == before
        assert not machine.journal.exists()

    def test_it_says_whether_there_was_anything_to_put_back(self, machine: Machine) -> None:
        assert not machine.inner.call(lambda: Changes(machine.journal).restore())
        machine.apply(wanted(STATIC))
        assert machine.inner.call(lambda: Changes(machine.journal).restore())
        assert not machine.inner.call(lambda: Changes(machine.journal).restore())

    def test_what_is_there_already_is_neither_made_nor_undone(self, machine: Machine) -> None:
        machine.inner.address("out0", "203.0.113.1/24")
        machine.inner.address("in0", "10.1.1.1/24")
        machine.inner.ip("route", "add", "default", "via", "203.0.113.254", "metric", "100")
        machine.inner.run("sysctl", "-qw", "net.ipv4.conf.in0.forwarding=1")
        before = machine.state()
        machine.apply(wanted(STATIC))
        assert machine.inner.ip("route", "show", "default").count("default") == 1
        machine.restore()
        assert machine.state() == before

    def test_put_back_after_kill(self, machine: Machine) -> None:
        before = machine.state()
        program = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from tests.live.test_kernel import STATIC, Changes, wanted\n"
            "Changes(Path(sys.argv[1])).apply(wanted(STATIC))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        root = Path(__file__).parents[2]
        command = ("env", f"PYTHONPATH={root}", sys.executable, "-c", program)
        killed = machine.inner.run(*command, str(machine.journal), check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert machine.state() != before
        machine.restore()
        assert machine.state() == before

    @pytest.mark.parametrize("step", range(12))
    def test_put_back_from_every_point_of_failure(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        """Each command and each parameter written fails in turn, as if killed before it."""
        before = machine.state()
        left = step

        def counted(what: str) -> None:
            nonlocal left
            if left == 0:
                raise PixguardError(f"no {what}")
            left -= 1

        real_write, real_ip = kernel._write_sysctl, kernel._ip_batch

        def write(path: str, value: str) -> None:
            counted(path)
            real_write(path, value)

        def batch(commands: Iterator[str]) -> None:
            for command in commands:
                counted(command)
                real_ip([command])

        monkeypatch.setattr(kernel, "_write_sysctl", write)
        monkeypatch.setattr(kernel, "_ip_batch", batch)
        if step < len(wanted(STATIC)):
            with pytest.raises(PixguardError, match=r"^no "):
                machine.apply(wanted(STATIC))
        else:
            machine.apply(wanted(STATIC))
        monkeypatch.undo()
        machine.restore()
        assert machine.state() == before

    def test_what_somebody_changed_since_stays(self, machine: Machine) -> None:
        machine.apply(wanted(STATIC))
        machine.inner.run("sysctl", "-qw", "net.ipv4.neigh.out0.proxy_delay=8")
        machine.inner.ip("route", "del", "default")
        machine.inner.ip("route", "add", "default", "via", "203.0.113.77", "dev", "out0")
        machine.inner.ip("route", "del", "203.0.113.5/32")
        machine.inner.ip("neighbour", "del", "proxy", "203.0.113.5", "dev", "out0")
        machine.inner.ip("address", "add", "203.0.113.2/24", "dev", "out0")
        # A primary address takes its secondaries and their routes along unless they move up.
        machine.inner.run("sysctl", "-qw", "net.ipv4.conf.out0.promote_secondaries=1")
        machine.restore()
        assert machine.parameter(PROXY_DELAY) == "8"
        assert "203.0.113.2/24" in machine.inner.ip("address", "show", "dev", "out0")
        assert "203.0.113.1/24" not in machine.inner.ip("address", "show", "dev", "out0")

    def test_an_interface_that_is_gone_is_no_obstacle(self, machine: Machine) -> None:
        machine.apply(wanted(STATIC))
        machine.inner.ip("link", "delete", "out0")
        machine.restore()
        assert not machine.journal.exists()
        assert machine.inner.ip("-4", "address", "show", "dev", "in0") == ""

    def test_only_what_differs_changes(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = machine.state()
        machine.apply(wanted(STATIC))
        commands: list[str] = []

        def record(*arguments: str, stdin: str = "") -> str:
            commands.extend(stdin.splitlines())
            return ip(*arguments, stdin=stdin)

        monkeypatch.setattr(kernel, "ip", record)
        machine.apply(wanted(STATIC))
        assert commands == []
        machine.apply(wanted(STATIC.replace("113.5", "113.6")))
        assert commands == [
            "neighbour delete proxy 203.0.113.5 dev out0",
            "route delete 203.0.113.5/32 dev in0 metric 0 protocol 200",
            "route add 203.0.113.6/32 dev in0 metric 0 protocol 200",
            "neighbour add proxy 203.0.113.6 dev out0",
        ]
        machine.apply(wanted())
        assert machine.parameter(PROXY_DELAY) != "0"
        machine.restore()
        assert machine.state() == before

    def test_a_changed_address_takes_its_routes_along(self, machine: Machine) -> None:
        before = machine.state()
        machine.apply(wanted(STATIC))
        moved = configuration(TWO_INTERFACES.replace("203.0.113.1 ", "203.0.113.2 "), STATIC)
        machine.apply(wanted_settings(moved, BOX, liberal=False))
        assert "via 203.0.113.254" in machine.inner.ip("route", "show", "default")
        assert "203.0.113.2/24" in machine.inner.ip("address", "show", "dev", "out0")
        machine.restore()
        assert machine.state() == before

    @pytest.mark.parametrize(
        ("preparation", "message"),
        [
            ("link delete out0", "this machine has no interface out0"),
            ("link set out0 down", "interface out0 is down: ip link set dev out0 up"),
            (
                "address add 203.0.113.1/16 dev out0",
                "interface out0 has the address 203.0.113.1/16, the rule file says 203.0.113.1/24",
            ),
            (
                "route add default dev in0",
                "this machine has another route to 0.0.0.0/0, by in0: remove it",
            ),
        ],
    )
    def test_what_stands_in_the_way_is_told_and_nothing_changed(
        self, machine: Machine, preparation: str, message: str
    ) -> None:
        machine.inner.ip(*preparation.split())
        before = machine.inner.ip("address") + machine.inner.ip("route")
        with pytest.raises(PixguardError, match=message):
            machine.apply(wanted(STATIC))
        assert machine.inner.ip("address") + machine.inner.ip("route") == before
        assert not machine.journal.exists()

    def test_a_gateway_that_no_link_reaches(self, machine: Machine) -> None:
        before = machine.state()
        with pytest.raises(PixguardError, match=r"ip -batch - failed: .*invalid gateway"):
            machine.apply(wanted("route inside 192.0.2.0 255.255.255.0 10.9.9.9 1"))
        machine.restore()
        assert machine.state() == before

    def test_a_parameter_that_the_kernel_lacks(self, machine: Machine) -> None:
        with pytest.raises(PixguardError, match="kernel parameter net/ipv4/none: No such file"):
            machine.apply([Sysctl("net/ipv4/none", "1")])

    def test_a_parameter_that_the_kernel_refuses(self, machine: Machine) -> None:
        with pytest.raises(PixguardError, match=r"cannot set the kernel parameter .* to none: Inv"):
            machine.apply([Sysctl(PROXY_DELAY, "none")])

    def test_each_namespace_has_its_journal(self, machine: Machine, tmp_path: Path) -> None:
        inner = machine.inner.call(journal_file, tmp_path)
        number = os.stat(machine.inner.path).st_ino  # noqa: PTH116
        assert inner == tmp_path / f"changes-{number}.json" != journal_file(tmp_path)


class TestJournal:
    """What a start makes of the file that it finds."""

    @pytest.mark.parametrize(
        "content",
        ["", "{}", "[]", '{"boot": "x", "changes": [{"setting": {"kind": "file"}}]}', "\xff"],
    )
    def test_damaged(self, tmp_path: Path, content: str) -> None:
        journal = tmp_path / "changes.json"
        journal.write_text(content, "latin-1")
        with pytest.raises(PixguardError, match=r"changes.json: is damaged \(.*by hand"):
            Changes(journal)

    def test_of_another_boot(self, tmp_path: Path) -> None:
        """What it tells of is gone."""
        journal = tmp_path / "changes.json"
        setting = {"kind": "sysctl", "path": "kernel/random/boot_id", "value": "x"}
        change = {"setting": setting, "before": "y"}
        journal.write_text(json.dumps({"boot": "another", "changes": [change]}))
        Changes(journal).restore()

    def test_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is done that could not be undone, and no half a file is left."""
        monkeypatch.setattr(kernel, "PROC_SYS", tmp_path)
        (tmp_path / "kernel/random").mkdir(parents=True)
        (tmp_path / "kernel/random/boot_id").write_text("x")
        (tmp_path / "parameter").write_text("0")
        monkeypatch.setattr(kernel, "_ip_json", lambda *_: [])

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(PixguardError, match="cannot write it: No space left"):
            Changes(tmp_path / "state" / "changes.json").apply([Sysctl("parameter", "1")])
        assert (tmp_path / "parameter").read_text() == "0"
        assert list((tmp_path / "state").iterdir()) == []
