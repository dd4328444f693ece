"""How long flows may be idle, as a configuration's `timeout` lines say."""

from __future__ import annotations

from math import inf

from appliance.config.model import Configuration
from appliance.tcp.timeouts import USUAL, Idle


def idle_times(configuration: Configuration) -> Idle:
    """What a configuration says, and a device's defaults where it says nothing.

    Args:
        configuration: what the rule file says.
    """

    def seconds(name: str, usual: float) -> float:
        stated = configuration.idle(name)
        return usual if stated is None else stated or inf

    return Idle(
        seconds("conn", USUAL.established),
        seconds("half-closed", USUAL.half_closed),
        seconds("udp", USUAL.udp),
    )
