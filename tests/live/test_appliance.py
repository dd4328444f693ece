"""The whole appliance in the lab's namespaces: started, told to reload, ended, killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from appliance.lab.lab import Lab
from appliance.lab.sessions import FORBIDDEN, INWARD, OUTWARD, converse, knock
from appliance.lab.topology import CLIENT, SERVER_MAPPED
from appliance.live.notify import notify
from appliance.live.queue import PacketQueue
from appliance.live.supervisor import SILENCE
from tests.namespaces import Network, needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules"
MASKED = (
    b"220 *******************************************************0*2******0**********************"
    b"*2002*******2***0*00\r\n"
)
"""Microsoft KB 320027, its two fragments joined."""
PUT_BACK = "pixguard: put back what an earlier run left"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return Path(shutil.copy(RULES / "pix-6.3.conf", tmp_path / "rules.conf"))


@pytest.fixture
def lab(rules: Path) -> Iterator[Lab]:
    """A lab of the test's own."""
    with Lab(rules, prefix=f"pxa{os.getpid()}") as made:
        yield made


@pytest.fixture(scope="module")
def standing() -> Iterator[Lab]:
    """A lab that tests share which leave it as it is."""
    with Lab(RULES / "pix-6.3.conf", prefix=f"pxb{os.getpid()}") as made:
        yield made


@pytest.fixture(scope="module")
def stopped() -> Iterator[Lab]:
    """A lab whose appliance has ended."""
    with Lab(RULES / "pix-6.3.conf", prefix=f"pxc{os.getpid()}") as made:
        assert end(made, signal.SIGTERM) == 0
        yield made


def run(lab: Lab, *command: str) -> str:
    return subprocess.run(
        lab.router.command(*command), check=True, capture_output=True, text=True
    ).stdout


def machine(lab: Lab) -> dict[str, str]:
    """All that the appliance may change in its namespace."""
    sysctls = run(lab, "sysctl", "-a", "-r", r"net\.ipv4\.|nf_conntrack_tcp")
    rules = run(lab, "iptables-save") + run(lab, "ip6tables-save")
    return {
        "rules": "\n".join(each for each in rules.splitlines() if each[0] not in "#:"),
        "chains": "\n".join(each for each in rules.splitlines() if "PIXGUARD" in each),
        "addresses": run(lab, "ip", "-br", "address"),
        "routes": run(lab, "ip", "route"),
        "neighbours": run(lab, "ip", "neighbour", "show", "proxy"),
        "sysctls": sysctls,
    }


def latest_mail(spool: Path) -> bytes:
    return max(spool.glob("*.eml"), key=lambda mail: int(mail.stem)).read_bytes()


def log_has(lab: Lab, text: str) -> Callable[[], bool]:
    return lambda: any(text in line for line in lab.log())


def end(lab: Lab, number: int) -> int:
    lab.appliance.send_signal(number)
    return lab.appliance.wait(20)


def workers(lab: Lab) -> list[int]:
    return [each["process"] for each in lab.counters()["workers"]]


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_mail_passes_and_the_greeting_is_masked(standing: Lab) -> None:
    outcome = converse(standing.client, SERVER_MAPPED, INWARD.session)
    assert outcome.replies[0] == MASKED
    assert outcome.codes == ("220", "250", "250", "250", "354", "250", "221")
    assert latest_mail(standing.server_spool).endswith(INWARD.content.encode())


def test_mail_from_inside_meets_the_outside_servers_greeting_masked(standing: Lab) -> None:
    outcome = converse(standing.server, CLIENT, OUTWARD.session)
    assert outcome.replies[0] == b"220 *****************************2*0*20 *********200*0*02*\r\n"
    assert latest_mail(standing.client_spool).endswith(OUTWARD.content.encode())


def test_commands_outside_the_seven_reach_the_server_as_x(standing: Lab) -> None:
    outcome = converse(standing.client, SERVER_MAPPED, FORBIDDEN)
    assert outcome.codes == ("220", "500", "500", "500", "221")
    seen = standing.server_tap.settle().conversations[-1]
    assert seen.to_server.data == (
        b"XXXX client.example.com\r\nXXXX postmaster\r\nXXXXXXXXXXX\r\nQUIT\r\n"
    )


def test_connections_are_logged_with_real_and_mapped_addresses(standing: Lab) -> None:
    converse(standing.client, SERVER_MAPPED, ("QUIT\r\n",))
    seen = standing.client_tap.settle().conversations[-1]
    port = seen.client.port
    ends = f"outside:203.0.113.10/{port} (203.0.113.10/{port}) to inside:10.1.1.5/25"
    eventually(log_has(standing, f"for {ends} (203.0.113.5/25)"))
    (line,) = (line for line in standing.log() if ends in line)
    time_part, message = line.split(": %PIX-6-302013: Built inbound TCP connection ")
    datetime.strptime(time_part, "%b %d %Y %H:%M:%S")
    number = message.split()[0]
    eventually(log_has(standing, f"%PIX-6-302014: Teardown TCP connection {number} for outside:"))


def test_what_the_rules_do_not_permit_gets_no_answer(standing: Lab) -> None:
    assert knock(standing.client, SERVER_MAPPED, 80) == "timed out"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_its_end_everything_is_as_before(lab: Lab, number: int) -> None:
    during = machine(lab)
    assert "NFQUEUE" in during["rules"]
    ended = workers(lab)
    assert end(lab, number) == 0
    before = machine(lab)
    assert before["chains"] == before["neighbours"] == ""
    assert not any(map(is_alive, ended))
    lab.start_appliance()
    assert machine(lab) == during
    assert end(lab, number) == 0
    assert machine(lab) == before
    assert not log_has(lab, PUT_BACK)()


def test_the_table_of_nftables_comes_and_goes_with_established(lab: Lab, rules: Path) -> None:
    assert run(lab, "nft", "list", "tables", "ip").count("pixguard") == 0
    line = "established tcp 4000 0 permitto tcp 6000"
    rules.write_text(rules.read_text().replace(": end", f"{line}\n: end"))
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(log_has(lab, "pixguard: reloaded: "))
    assert "set tcp-4000-0" in run(lab, "nft", "list", "table", "ip", "pixguard")
    assert end(lab, signal.SIGTERM) == 0
    assert run(lab, "nft", "list", "tables", "ip").count("pixguard") == 0


def test_signals_that_come_together_end_it_once(lab: Lab) -> None:
    lab.appliance.send_signal(signal.SIGINT)
    lab.appliance.send_signal(signal.SIGHUP)
    assert end(lab, signal.SIGTERM) == 0
    assert lab.log()[-1].endswith("pixguard: the firewall is withdrawn")
    assert not log_has(lab, "Traceback")()
    assert not log_has(lab, "ignored")()


def test_a_reload_changes_connections_that_begin_later(lab: Lab, rules: Path) -> None:
    with lab.client.connection(10) as old, lab.client.connection(10) as new:
        old.connect((SERVER_MAPPED, 25))
        assert old.recv(1000) == MASKED
        rules.write_text((RULES / "no-fixup.conf").read_text())
        lab.appliance.send_signal(signal.SIGHUP)
        eventually(log_has(lab, "pixguard: reloaded: "))
        new.connect((SERVER_MAPPED, 25))
        assert new.recv(1000).startswith(b"220 mail.acme.com Microsoft")
        for connection in (old, new):
            connection.sendall(b"EHLO client.example.com\r\n")
        assert old.recv(1000).startswith(b"500")
        assert new.recv(1000).startswith(b"250")


def test_connections_with_translated_numbers_outlive_a_reload(lab: Lab, rules: Path) -> None:
    later = rules.read_text()
    static = "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0"
    assert static in later
    rules.write_text(
        later.replace("PIX Version 6.3(5)", "PIX Version 4.1(7)")
        .replace(static, "mailhost (inside,outside) 203.0.113.5 10.1.1.5 0 0")
        .replace("fixup protocol smtp 25", "")
    )
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(log_has(lab, "pixguard: reloaded: "))
    with lab.client.connection(10) as old:
        old.connect((SERVER_MAPPED, 25))
        assert old.recv(1000).startswith(b"220 SMTP/cmap ready")
        old.sendall(b"EHLO client.example.com\r\n")
        assert old.recv(1000) == b"250 OK\r\n"
        rules.write_text(later)
        lab.appliance.send_signal(signal.SIGHUP)
        eventually(lambda: sum("pixguard: reloaded: " in line for line in lab.log()) == 2)
        for _ in range(3):
            old.sendall(b"NOOP\r\n")
            assert old.recv(1000).startswith(b"250")


def test_a_bad_rule_file_changes_nothing_and_is_told_in_the_log(lab: Lab, rules: Path) -> None:
    before = machine(lab)
    rules.write_text("fixup protocol smtp 99999\nno such command\nhostname a\n")
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(log_has(lab, "the old rules stay in force"))
    for place in ("rules.conf:1:21: ", "rules.conf:2:"):
        assert any(place in line for line in lab.log())
    assert machine(lab) == before
    assert converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED


def test_rules_that_the_machine_refuses_change_nothing(lab: Lab, rules: Path) -> None:
    before = machine(lab)
    text = (RULES / "no-fixup.conf").read_text()
    # The machine has a route to that network already, by another interface.
    route = "route inside 203.0.113.0 255.255.255.0 10.1.1.5 1"
    rules.write_text(text.replace(": end", route))
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(log_has(lab, "the old rules stay in force"))
    assert log_has(lab, "another route to 203.0.113.0/24")()
    assert machine(lab) == before
    assert converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED


def test_a_rule_file_that_is_gone_changes_nothing(lab: Lab, rules: Path) -> None:
    rules.unlink()
    lab.appliance.send_signal(signal.SIGHUP)
    eventually(log_has(lab, "the old rules stay in force"))
    assert converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED


def test_a_killed_worker_is_replaced_and_its_connections_pass_nothing(lab: Lab) -> None:
    (killed,) = workers(lab)
    with lab.client.connection(1.5) as connection:
        connection.connect((SERVER_MAPPED, 25))
        assert connection.recv(1000) == MASKED
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: workers(lab) not in ([killed], [None]))
        assert converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED
        connection.sendall(b"EHLO client.example.com\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1000)
    assert log_has(lab, "was ended by signal 9")()
    eventually(log_has(lab, "%PIX-6-106015: Deny TCP (no connection)"))
    assert lab.counters()["workers"][0]["restarts"] == 1
    assert end(lab, signal.SIGTERM) == 0


def test_a_worker_that_hangs_is_replaced_and_an_idle_one_let_be(lab: Lab, standing: Lab) -> None:
    began = time.monotonic()
    (idle,) = workers(standing)
    (hanging,) = workers(lab)
    os.kill(hanging, signal.SIGSTOP)
    eventually(log_has(lab, "said nothing"))
    eventually(lambda: workers(lab) not in ([hanging], [None]))
    assert not is_alive(hanging)
    assert converse(lab.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED
    time.sleep(max(0.0, began + SILENCE + 2 - time.monotonic()))
    assert workers(standing) == [idle]


def test_killed_it_lets_no_mail_through_and_the_next_one_takes_over(lab: Lab) -> None:
    during = machine(lab)
    left = workers(lab)
    assert end(lab, signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: not any(map(is_alive, left)))
    assert knock(lab.client, SERVER_MAPPED, 25) == "timed out"
    lab.start_appliance()
    assert log_has(lab, PUT_BACK)()
    assert machine(lab) == during
    assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED
    assert end(lab, signal.SIGTERM) == 0
    after = machine(lab)
    assert after["chains"] == after["neighbours"] == ""
    assert not list(lab.box.state.glob("changes-*"))


def test_counters_tell_what_passed(lab: Lab) -> None:
    converse(lab.client, SERVER_MAPPED, FORBIDDEN)
    eventually(lambda: lab.counters()["total"]["events"].get("connection-closed") == 1)
    total = lab.counters()["total"]
    assert total["events"]["command-blocked"] == 3
    assert total["events"]["greeting-masked"] == 1
    assert total["edited"] == 4
    assert total["packets"] == total["forwarded"] + total["edited"] + total["dropped"]
    assert lab.counters()["queues"] == [
        {"number": 2500, "waiting": 0, "dropped": 0, "overflowed": 0}
    ]


def test_workers_are_unprivileged_but_for_two_capabilities(standing: Lab) -> None:
    (process,) = workers(standing)
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert "0" not in status["Uid"].split() + status["Gid"].split()
    assert status["Groups"].strip() == ""
    both = 1 << 12 | 1 << 13
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == both
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def start_another(lab: Lab, box: dict[str, object], *prefix: str) -> tuple[int, str]:
    box_file = lab.directory / "another.yaml"
    box_file.write_text(json.dumps(box))
    command = (
        *prefix,
        *(sys.executable, "-m", "appliance", "run"),
        *("--config", str(RULES / "pix-6.3.conf"), "--box", str(box_file)),
    )
    done = subprocess.run(
        lab.router.command(*command), check=False, capture_output=True, text=True, timeout=30
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def own_box(lab: Lab) -> dict[str, object]:
    return {"interfaces": dict(lab.box.interfaces), "state": str(lab.box.state)}


def test_a_second_one_in_the_same_place_is_refused(standing: Lab) -> None:
    before = machine(standing)
    code, said = start_another(standing, own_box(standing))
    assert code == 1
    assert "another pixguard is the firewall" in said
    assert machine(standing) == before
    assert converse(standing.client, SERVER_MAPPED, ("QUIT\r\n",)).replies[0] == MASKED


@pytest.mark.parametrize(
    ("change", "prefix", "said"),
    [
        ({"user": "no-such-user"}, (), "no user no-such-user"),
        ({}, ("setpriv", "--bounding-set", "-net_raw"), "CAP_NET_RAW missing"),
        ({"state": "/proc/nowhere"}, (), "/proc/nowhere"),
        ({"log": "/proc/nowhere/log"}, (), "/proc/nowhere/log"),
        ({"interfaces": {"outside": "outside", "inside": "eth7"}}, (), "eth7"),
        ({"interfaces": {"outside": "outside", "dmz": "inside"}}, (), "'dmz'"),
    ],
)
def test_what_keeps_it_from_starting_is_told_and_leaves_nothing(
    stopped: Lab, change: dict[str, object], prefix: tuple[str, ...], said: str
) -> None:
    before = machine(stopped)
    code, error = start_another(stopped, own_box(stopped) | change, *prefix)
    assert code == 1
    assert said in error
    assert machine(stopped) == before


def test_a_refused_start_does_not_touch_netfilter(tmp_path: Path) -> None:
    with Network() as network:
        inner, peer = network.namespace("machine"), network.namespace("peer")
        network.link(inner, "out0", peer, "eth0")
        box = tmp_path / "box.yaml"
        interfaces = {"outside": "out0", "inside": "eth7"}
        box.write_text(json.dumps({"interfaces": interfaces, "state": str(tmp_path / "state")}))
        command = (sys.executable, "-m", "appliance", "run", "--box", str(box))
        done = inner.run(*command, "--config", str(RULES / "pix-6.3.conf"), check=False)
        assert (done.returncode, done.stderr) == (
            1,
            "pixguard: this machine has no interface eth7\n",
        )
        # Not even an empty table.
        assert inner.run("iptables-save").stdout == inner.run("ip6tables-save").stdout == ""
        assert not (tmp_path / "state").exists()


def test_a_queue_that_another_program_has_keeps_it_from_starting(stopped: Lab) -> None:
    before = machine(stopped)
    taken = stopped.router.call(lambda: PacketQueue(2500, 100, lambda packet: packet.drop()))
    try:
        code, error = start_another(stopped, own_box(stopped))
    finally:
        taken.close()
    assert code == 1
    assert "NFQUEUE 2500" in error
    assert machine(stopped) == before


def test_two_workers_share_the_connections(rules: Path) -> None:
    with Lab(rules, prefix=f"pxa{os.getpid()}") as lab:
        assert end(lab, signal.SIGTERM) == 0
        box_file = lab.directory / "two.yaml"
        box_file.write_text(json.dumps(own_box(lab) | {"workers": 2, "log": str(lab.log_file)}))
        command = (sys.executable, "-m", "appliance", "run", "--config", str(rules))
        appliance = subprocess.Popen(lab.router.command(*command, "--box", str(box_file)))
        try:
            eventually(lambda: sum("the firewall is up" in line for line in lab.log()) == 2)
            for _ in range(4):
                assert converse(lab.client, SERVER_MAPPED, INWARD.session).replies[0] == MASKED
            eventually(
                lambda: (
                    [each["events"].get("connection-built") for each in lab.counters()["workers"]]
                    == [2, 2]
                )
            )
        finally:
            appliance.terminate()
            assert appliance.wait(20) == 0


def test_long_mails_pass_whole(standing: Lab) -> None:
    line = "The quick brown fox jumps over the lazy dog, and no firewall minds.\r\n"
    body = "Subject: long\r\n\r\n" + line * 60_000
    session = (*INWARD.session[:4], body + ".\r\n", "QUIT\r\n")
    assert converse(standing.client, SERVER_MAPPED, session).failure == ""
    assert latest_mail(standing.server_spool).endswith(body.encode())


def test_readiness_is_told_to_a_service_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"
    notify("STOPPING=1")  # the manager is gone: nothing happens
    name = f"pixguard-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"
