"""What every end-to-end test needs: namespaces, a kernel that queues packets, the programs."""

from __future__ import annotations

import shutil

import pytest

from appliance.errors import PixguardError
from appliance.live.queue import PacketQueue
from tests.namespaces import Network, obstacle

PROGRAMS = {
    "postfix": "postfix",
    "smtp-source": "postfix",
    "smtp-sink": "postfix",
    "swaks": "swaks",
    "tshark": "tshark",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
"""Programs that the tests run besides those of the lab, and the Debian packages that have them."""


@pytest.fixture(scope="session", autouse=True)
def able_machine() -> None:
    """Skip all of these tests, and say why, where the machine cannot carry them."""
    if obstacle():
        pytest.skip(obstacle())
    missing = {package for name, package in PROGRAMS.items() if not shutil.which(name)}
    if missing:
        pytest.skip(f"needs real mail programs; missing: {' '.join(sorted(missing))}")
    with Network() as network:
        try:
            probe = network.namespace("queue")
            probe.call(lambda: PacketQueue(1, 64, lambda packet: packet.drop())).close()
        except PixguardError as error:
            pytest.skip(f"needs a kernel that queues packets: {error}")
