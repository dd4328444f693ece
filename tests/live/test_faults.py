"""A failure of the engine, in the whole appliance: what it costs, and what is kept of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from appliance.firewall import Firewall
from appliance.lab.lab import Lab
from appliance.lab.topology import SERVER_MAPPED
from appliance.live.supervisor import FAULTS_KEPT
from appliance.smtp.inspector import Inspector
from tests.live.test_appliance import log_has, workers
from tests.namespaces import needs_namespaces
from tests.waiting import eventually
from tests.wire import inspecting

pytestmark = needs_namespaces

RULES = Path(__file__).parents[2] / "rules" / "pix-6.3.conf"
FAULTY = """\
from appliance.smtp.inspector import Inspector

judge = Inspector.from_client

def fail(self, data, whole_segment):
    if b"boom" in data:
        raise RuntimeError("a fault")
    return judge(self, data, whole_segment)

Inspector.from_client = fail
"""


def test_it_costs_one_connection_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python runs a module of this name at its start.
    (tmp_path / "sitecustomize.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Lab(RULES, prefix=f"pxf{os.getpid()}") as lab:
        before = workers(lab)
        with lab.client.connection(10) as bystander:
            bystander.connect((SERVER_MAPPED, 25))
            bystander.recv(1000)
            for _ in range(FAULTS_KEPT + 1):
                with lab.client.connection(1) as struck:
                    struck.connect((SERVER_MAPPED, 25))
                    struck.recv(1000)
                    struck.sendall(b"NOOP\r\n")
                    struck.recv(1000)
                    struck.sendall(b"NOOP boom\r\n")
            eventually(lambda: lab.counters()["total"]["faults"] == FAULTS_KEPT + 1)
            bystander.sendall(b"NOOP\r\n")
            assert bystander.recv(1000).startswith(b"250")
        assert workers(lab) == before
        assert log_has(lab, "RuntimeError: a fault")()
        assert not log_has(lab, "boom")()
        kept = sorted(lab.box.state.glob("fault-*.json"))
        assert len(kept) == FAULTS_KEPT
        assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
        fault = json.loads(kept[0].read_text())
    packet, state = bytes.fromhex(fault["packet"]), bytes.fromhex(fault["state"])
    assert packet.endswith(b"NOOP boom\r\n")
    # The engine at hand does not fail: it judges the same packet in the same state.
    assert "fail" not in Inspector.from_client.__name__
    firewall = Firewall(inspecting(None), lambda event: None)
    firewall.take_over(state, 1.0)
    mark = int.from_bytes(next(iter(firewall._flows))[0][-4:])
    assert firewall.receive(packet, 2.0, mark=mark).forward
