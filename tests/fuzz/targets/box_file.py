"""The bytes of a box file."""

from __future__ import annotations

import re

from appliance.box import Segmentation, Smuggling, load_box
from appliance.config.load import read_rules
from appliance.config.model import Configuration, Version
from appliance.errors import FindingsError, PixguardError
from appliance.smtp.release import RELEASES, Blocked, Bug
from tests.fuzz.files import in_memory
from tests.fuzz.messages import check_findings, check_shown

LONGEST = 2048
WORDS = (
    *b"interfaces workers queue queue-length release segmentation blocked smuggling".split(),
    *b"allow-tls user log json-log state bugs historic outside inside eth0 true null".split(),
    *b"%YAML %TAG !!int !!binary !!map --- ... << *a &a ? |- >+ \\U00110000 \\x41".split(),
    *(choice.value.encode() for kind in (Segmentation, Smuggling, Blocked, Bug) for choice in kind),
    *(name.encode() for name in RELEASES),
)

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_LINUX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_VERSIONS = (None, Version("PIX", "5.2(4)"), Version("ASA", "9.1(2)"))


def one_input(data: bytes) -> None:
    """Read a box file; of a good one, ask what depends on a rule file."""
    with in_memory(data) as path:
        try:
            box = load_box(path)
        except FindingsError as error:
            check_shown(str(error))
            check_findings(error.findings, _LINE_END.split(data.decode("utf-8-sig", "replace")))
            return
        except PixguardError as error:
            check_shown(str(error))
            return
    assert box.interfaces
    assert all(_LINUX.fullmatch(linux) for _, linux in box.interfaces)
    assert box.workers >= 1
    assert 0 <= box.queue <= 65536 - box.workers
    for version in _VERSIONS:
        try:
            box.inspect_as(version)
        except PixguardError as error:
            check_shown(str(error))
    box.left_out(_CONFIGURATION)


def _configuration() -> Configuration:
    reading = read_rules(
        "nameif ethernet0 outside security0\nnameif ethernet1 inside security100\n", "pixguard.conf"
    )
    assert reading.configuration is not None
    return reading.configuration


_CONFIGURATION = _configuration()
