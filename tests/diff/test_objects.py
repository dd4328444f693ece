"""What `pixguard diff` tells of rule files of 8.3 and later."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config.load import load_configuration, read_rules
from appliance.config.model import Configuration
from appliance.diff.comparison import Change, compare
from appliance.diff.packets import sample
from appliance.policy.judgement import policy_of
from appliance.smtp.release import DEFAULT

RULES = Path(__file__).parents[2] / "rules"
TEXT = (RULES / "asa-8.4.conf").read_text() + "route outside 0 0 203.0.113.254\n"
TEXT = TEXT.replace(": end\n", "")


def changes(old: Configuration, new: Configuration) -> set[Change]:
    policies = policy_of(old, DEFAULT), policy_of(new, DEFAULT)
    return {group.change for group in compare(*policies, sample(old, new).packets)}


def altered(written: str, instead: str) -> Configuration:
    assert written in TEXT
    found = read_rules(TEXT.replace(written, instead), "new.conf").configuration
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("written", "instead", "change"),
    [
        ("mailserver eq smtp", "mailserver eq www", Change.PERMITTED),
        ("mailserver eq smtp", "mailserver eq www", Change.DENIED),
        ("static 203.0.113.5", "static 203.0.113.6", Change.TRANSLATED),
        ("dynamic interface", "dynamic 203.0.113.7", Change.TRANSLATED),
        (" nat (inside,outside) dynamic interface", " description all", Change.TRANSLATED),
        ("host 10.1.1.5", "host 10.1.1.6", Change.TRANSLATED),
        (
            "access-group outside_in in interface outside",
            "access-group outside_in global",
            Change.DENIED,
        ),
        ("  inspect esmtp\n", "", Change.INSPECTED),
    ],
)
def test_what_becomes_different(written: str, instead: str, change: Change) -> None:
    assert change in changes(altered(": The", ": The"), altered(written, instead))


def test_what_says_the_same_makes_no_difference() -> None:
    assert changes(altered("names", "names"), altered("mailserver", "mailhost")) == set()


def test_two_dialects_are_compared() -> None:
    old = load_configuration(RULES / "pix-6.3.conf")
    assert Change.DENIED not in changes(old, load_configuration(RULES / "asa-8.4.conf"))
