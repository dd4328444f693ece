"""The kernel, under the rules compiled from a configuration, and the Policy say the same.

Random configurations and random packets: the same verdict, the same way out, the same addresses
and ports, the same answer to whether it is inspected, the same names of its ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.live.dice import Dice
from tests.live.differential import Differential, running_differential
from tests.live.object_dice import ObjectDice
from tests.namespaces import needs_namespaces

pytestmark = needs_namespaces

FILES = 25
"""Rule files, each with some 80 packets."""

DRAWN = 400
"""Rule files that are only looked at."""

GROUPS = {
    "hosts",
    "nets",
    "tcp-ports",
    "udp-ports",
    "both-ports",
    "transport",
    "protocols",
    "types",
}
GROUPS |= {"services"}


@pytest.fixture(scope="module")
def differential(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Differential]:
    with running_differential(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.mark.parametrize("seed", range(FILES))
def test_kernel_and_policy_agree(differential: Differential, seed: int) -> None:
    assert differential.disagreements(seed, 80) == []
    assert differential.pairs


@pytest.mark.parametrize("seed", range(FILES))
def test_kernel_and_policy_agree_of_objects(differential: Differential, seed: int) -> None:
    assert differential.disagreements(seed, 80, kind=ObjectDice) == []


@pytest.mark.parametrize(
    ("seed", "written", "instead"),
    [
        (0, r"access-list (\S+) permit", r"access-list \1 deny"),
        (1, r" nat \(.*", ""),
        (2, r"^nat \(.*", ""),
        (3, r"(access-group .*) global", r"\1 out interface inside"),
    ],
)
def test_a_difference_of_objects_is_found(
    differential: Differential, seed: int, written: str, instead: str
) -> None:
    def other(text: str) -> str:
        return re.sub(written, instead, text, flags=re.MULTILINE)

    seeds = range(seed * 10 + 300, seed * 10 + 310)
    assert any(differential.disagreements(s, 60, altered=other, kind=ObjectDice) for s in seeds)


def test_the_dice_of_objects_reach_every_feature() -> None:
    text = "\n".join(ObjectDice(seed).text() for seed in range(DRAWN))
    for feature in (
        "ASA Version 8.4(1)",
        "ASA Version 9.1(2)",
        "nat (any,",
        ",any) ",
        " after-auto source",
        ") 1 source",
        "source static any any",
        "source dynamic any",
        " pat-pool ",
        "pool interface",
        "destination static interface",
        "service from-smtp from-2525",
        "service to-80 to-smtp",
        "service both both",
        " unidirectional",
        " inactive",
        " static interface",
        " service tcp ",
        "access-group everywhere global",
        "network-object object",
        "service-object object",
        "permit object",
        "any4",
        "any6",
        "out interface",
        "ip verify reverse-path",
        "sysopt noproxyarp",
        "intra-interface",
    ):
        assert feature in text, feature


@pytest.mark.parametrize(
    ("seed", "written", "instead"),
    [
        (100, r"(conduit|access-list \S+-in) permit", r"\1 deny"),
        (104, r"port-object .*", "port-object eq 99"),
        (117, r"service-object .*", "service-object 99"),
        (111, r"protocol-object .*", "protocol-object 99"),
        (109, r"icmp-object .*", "icmp-object 99"),
        (168, r" inactive$", ""),
        (104, r"( log| log 4 interval 9)$", ""),
        (157, r" time-range over$", ""),
        (103, r"^alias .*", ""),
    ],
)
def test_a_difference_is_found(
    differential: Differential, seed: int, written: str, instead: str
) -> None:
    """The policy is asked about other rules than the kernel has, and that is noticed."""

    def other(text: str) -> str:
        return re.sub(written, instead, text, flags=re.MULTILINE)

    assert differential.disagreements(seed, 100, altered=other)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [Dice(seed).text() for seed in range(DRAWN)]


def test_the_dice_reach_every_feature(texts: list[str]) -> None:
    text = "\n".join(texts)
    for feature in (
        "static (outside,inside)",
        "access-list policy-",
        "outside\n",
        "nat (inside) 0 access-list",
        "nat (inside) 1 access-list",
        "global (outside) 1 interface",
        "global (outside) 1 203.0.113.40-203.0.113.44",
        "nat-control",
        "inter-interface",
        "intra-interface",
        "out interface",
        "outbound 1 except",
        "outgoing_dest",
        "alias (inside) ",
        "ip verify reverse-path",
        "sysopt noproxyarp",
        "ASA Version 8.2(1)",
        *(f" group-object {name}" for name in GROUPS),
        *(f"object-group around-{name}" for name in GROUPS),
        " interface outside",
        " inactive\n",
        "log 4 interval 9",
        "log default",
        "time-range mornings",
        "time-range over inactive",
        "permit esp",
        "icmp deny any outside",
        " 900 0\n",
    ):
        assert feature in text, feature


@pytest.mark.parametrize(
    ("language", "command", "names"),
    [
        ("nameif ", r"conduit", GROUPS - {"services"}),
        ("nameif ", r"access-list \w+-in", GROUPS - {"services"}),
        ("nameif ", r"access-list nat-\d", {"hosts", "nets"}),
        ("nameif ", r"access-list policy-\d", {"hosts", "nets"}),
        ("PIX Version 7.2", r"access-list \w+-in", GROUPS - {"services"}),
        ("PIX Version 7.2", r"access-list \w+-out", GROUPS - {"services"}),
        ("PIX Version 7.2", r"access-list nat-\d", {"hosts", "nets"}),
        ("ASA Version 8.2", r"access-list \w+-in", GROUPS),
        ("ASA Version 8.2", r"access-list \w+-out", GROUPS),
        ("ASA Version 8.2", r"access-list nat-\d", {"hosts", "nets"}),
    ],
)
def test_the_dice_name_groups_wherever_they_may_stand(
    texts: list[str], language: str, command: str, names: set[str]
) -> None:
    lines = "\n".join(text for text in texts if text.startswith(language))
    for name in names:
        assert re.search(rf"^{command} .*object-group {name}\b", lines, re.MULTILINE), name
