"""The numbers of docs/limits.md are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

from appliance import access_log
from appliance.box import Box
from appliance.config.model import FlowLog
from appliance.live import messages, netfilter, rate, returns
from appliance.smtp import dialogue, envelope, header, line, message, parameter
from appliance.tcp import room, timeouts
from tests.engine.mails import MEMORY

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


def test_numbers_are_those_of_the_program():
    cells = [
        row.split("|")[1:3] for row in PAGE.read_text().splitlines()[6:] if row.startswith("|")
    ]
    numbers = [int(n.replace(",", "")) for cell in cells for n in re.findall(r"\d[\d,]*", cell[1])]
    assert numbers == [
        room.HELD,
        room.HELD_SEGMENTS,
        room.HELD_IN_ALL,
        room.REMEMBERED,
        room.REMEMBERED_IN_ALL,
        line.LONGEST,
        parameter.MAX_VALUE,
        header.MAX_BOUNDARY,
        header.MAX_BOUNDARIES,
        message.MAX_DEPTH,
        MEMORY,
        envelope.LONGEST,
        dialogue.DUE,
        room.OWN_PACKETS,
        room.EMBRYONIC,
        room.FLOWS,
        *(1, 10, 30),
        FlowLog().most,
        access_log.PERMITTED,
        *(netfilter.DENIALS_TOLD, netfilter.DENIALS_TOLD),
        returns.PAIRS,
        Box(interfaces=()).queue_length,
        *(rate.LIMIT.lines, rate.LIMIT.lines),
        messages.MAX_WAITING,
    ]
    assert rate.LIMIT.seconds == 1
    usual = timeouts.USUAL
    assert [timeouts.EMBRYONIC, usual.established, usual.half_closed] == [30, 3600, 600]
    assert f"{room.RECENT:,} bytes" in PAGE.read_text()
