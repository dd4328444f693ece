"""The appliance under what the systemd unit leaves it: a user of its own, and not much else."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance.lab.lab import Lab
from appliance.lab.sessions import INWARD, converse
from appliance.lab.topology import SERVER_MAPPED
from tests.live.test_appliance import MASKED, end, machine, own_box
from tests.live.test_sandbox import status
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "packaging" / "pixguard.service"
RULES = ROOT / "rules" / "pix-6.3.conf"
USER = "nobody"
PORT = 9461


class Service:
    """An appliance in a lab's router, started as the unit would have it started."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.rules = directory / "rules.conf"
        self.log = directory / "log"
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(directory / "notify"))
        self.told.settimeout(10)
        (directory / "notify").chmod(0o777)
        shutil.copy(RULES, self.rules)
        state = directory / "state"
        state.mkdir()
        entry = pwd.getpwnam(USER)
        os.chown(state, entry.pw_uid, entry.pw_gid)
        self.log.touch()
        os.chown(self.log, entry.pw_uid, entry.pw_gid)
        box = own_box(lab) | {"workers": 2, "state": str(state), "log": str(self.log)}
        self.box = directory / "box.yaml"
        self.box.write_text(json.dumps(box | {"metrics": f"127.0.0.1:{PORT}"}))
        confine = ["unshare", "--mount", sys.executable, "-m", "tests.live.confined"]
        run = [sys.executable, "-m", "appliance", "run", "--config", str(self.rules)]
        confine += [str(UNIT), USER, *run, "--box", str(self.box)]
        self._command = lab.router.command(*confine)
        self._told = str(directory / "notify")
        self.state = state
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=os.environ | {"NOTIFY_SOCKET": self._told, "WATCHDOG_USEC": "1000000"},
        )

    def hear(self, wanted: str) -> list[str]:
        """What is told until something is, by lines."""
        heard: list[str] = []
        while wanted not in heard:
            assert self.process.poll() is None or wanted == "STOPPING=1"
            heard += self.told.recv(4096).decode().split("\n")
        return heard

    def workers(self) -> list[int]:
        counters = next(self.state.glob("counters-*.json"))
        return [each["process"] for each in json.loads(counters.read_text())["workers"]]

    def metrics(self) -> dict[str, float]:
        """What Prometheus is told, by the name and labels."""

        def ask() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as answer:
                return str(answer.read().decode())

        return {
            sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.lab.router.call(ask))
            for sample in family.samples
        }

    def status(self, *options: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "appliance", "status", "--box", str(self.box), *options]
        done = subprocess.run(
            self.lab.router.command(*command), check=False, capture_output=True, text=True
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(RULES, prefix=f"pxu{os.getpid()}") as made:
        assert end(made, signal.SIGTERM) == 0
        yield made


@pytest.fixture
def service(lab: Lab, tmp_path: Path) -> Iterator[Service]:
    made = Service(lab, tmp_path)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        made.told.close()


def test_it_is_the_firewall_and_puts_everything_back(lab: Lab, service: Service) -> None:
    before = machine(lab)
    service.hear("READY=1")
    outcome = converse(lab.client, SERVER_MAPPED, INWARD.session)
    assert outcome.replies[0] == MASKED
    assert outcome.codes == ("220", "250", "250", "250", "354", "250", "221")
    assert "run without it" not in service.log.read_text()
    assert service.stop() == 0
    assert "STOPPING=1" in service.hear("STOPPING=1")
    assert machine(lab) == before


def test_its_processes_have_what_they_need_and_no_more(service: Service) -> None:
    service.hear("READY=1")
    user = str(pwd.getpwnam(USER).pw_uid)
    supervisor = status(service.process.pid)
    assert set(supervisor["Uid"].split()) == {user}
    assert int(supervisor["CapEff"], 16) == 1 << 2 | 1 << 12 | 1 << 13
    for process in service.workers():
        worker = status(process)
        assert set(worker["Uid"].split()) == {user}
        assert int(worker["CapEff"], 16) == int(worker["CapPrm"], 16) == 1 << 12 | 1 << 13
        assert int(worker["CapAmb"], 16) == 0
        assert worker["NoNewPrivs"] == "1"
        assert int(worker["Seccomp_filters"]) == int(supervisor["Seccomp_filters"]) + 1
    assert service.stop() == 0


def test_metrics_count_what_happens(lab: Lab, service: Service) -> None:
    service.hear("READY=1")
    before = service.metrics()
    assert before["pixguard_reloads_total good"] == 0
    assert before["pixguard_worker_up 2500"] == before["pixguard_worker_up 2501"] == 1
    converse(lab.client, SERVER_MAPPED, INWARD.session)
    service.rules.write_text("nameif\n")
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: service.metrics()["pixguard_reloads_total bad"] == 1)

    def of_both(name: str) -> float:
        return sum(value for key, value in service.metrics().items() if key.startswith(name))

    eventually(lambda: of_both("pixguard_packets_total") > 16)
    eventually(
        lambda: of_both("pixguard_packets_total") == of_both("pixguard_packet_seconds_count")
    )
    assert of_both("pixguard_packet_seconds_sum") > 0
    greetings = [each for each in service.metrics() if "greeting-masked" in each]
    assert len(greetings) == 1
    assert service.stop() == 0


def test_status_says_how_it_is(service: Service) -> None:
    assert service.status()[0] in (1, 2)  # not there yet
    service.hear("READY=1")
    eventually(lambda: service.status()[0] == 0)
    code, said = service.status()
    assert (code, said.splitlines()[0]) == (0, "all is well")
    assert said.count("worker of queue") == 2
    found = json.loads(service.status("--json")[1])
    assert (found["health"], found["problems"]) == ("healthy", [])
    assert found["process"] == service.process.pid

    good = service.rules.read_text()
    service.rules.write_text("nonsense\n")
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: service.status()[0] == 1)
    assert service.status()[1].startswith("the last reload failed: not reloaded, the old rules")
    service.rules.write_text(good)
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: service.status()[0] == 0)
    assert json.loads(service.status("--json")[1])["reloads"] == {
        "good": 1,
        "bad": 1,
        "failure": "",
    }

    (worker, _) = service.workers()
    os.kill(worker, signal.SIGSTOP)
    silent = "the worker of queue 2500 does not answer\n"
    eventually(lambda: service.status()[1].startswith(silent), patience=30)
    eventually(lambda: service.status()[0] == 0, patience=30)

    os.kill(service.process.pid, signal.SIGSTOP)
    eventually(lambda: service.status()[0] == 1, patience=30)
    assert service.status()[1].startswith("the supervisor has said nothing for ")
    os.kill(service.process.pid, signal.SIGCONT)
    eventually(lambda: service.status()[0] == 0, patience=30)
    assert service.stop() == 0
    assert service.status() == (2, "no appliance is running\n")


def test_a_new_one_takes_over_the_mail_of_one_that_was_told_to_hand_over(
    lab: Lab, service: Service
) -> None:
    service.hear("READY=1")
    with lab.client.connection(30) as connection:
        connection.connect((SERVER_MAPPED, 25))
        assert connection.recv(1000) == MASKED
        service.process.send_signal(signal.SIGUSR1)
        assert service.process.wait(20) == 0
        service.hear("STOPPING=1")
        assert "PIXGUARD-STATE" in machine(lab)["rules"]
        service.start()
        service.hear("READY=1")
        connection.sendall(b"NOOP\r\n")
        assert connection.recv(1000).startswith(b"250")
    assert "1 connections were taken over" in service.log.read_text()
    assert service.stop() == 0
    assert "PIXGUARD" not in machine(lab)["rules"]


def test_a_reload_is_told_and_signs_of_life_come(service: Service) -> None:
    service.hear("READY=1")
    service.process.send_signal(signal.SIGHUP)
    heard = service.hear("RELOADING=1")
    heard += service.hear("READY=1")
    assert any(each.startswith("MONOTONIC_USEC=") for each in heard)
    heard = service.hear("WATCHDOG=1") + service.hear("WATCHDOG=1")
    assert service.stop() == 0


def test_while_a_worker_is_stopped_no_sign_of_life_comes(service: Service) -> None:
    service.hear("READY=1")
    stopped = service.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    log = service.log
    # It is taken to hang, killed, and another one is started: signs of life stop and come again.
    eventually(lambda: "said nothing for" in log.read_text(), "it is replaced", patience=30)
    service.hear("WATCHDOG=1")
    assert service.stop() == 0


def test_without_a_filter_of_system_calls_such_a_worker_does_not_start(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyseccomp.py").write_text("raise RuntimeError('Unable to find libseccomp')")
    box = tmp_path / "box.yaml"
    box.write_text(json.dumps(own_box(lab) | {"user": "root", "state": str(tmp_path / "state")}))
    done = subprocess.run(
        lab.router.command(
            *(sys.executable, "-m", "appliance", "run", "--config", str(RULES), "--box", str(box))
        ),
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "workers that run as the user of their supervisor need it" in done.stderr
