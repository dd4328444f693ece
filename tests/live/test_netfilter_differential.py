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
from tests.namespaces import needs_namespaces

pytestmark = needs_namespaces

FILES = 25
"""Rule files, each with some 100 packets."""


@pytest.fixture(scope="module")
def differential(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Differential]:
    with running_differential(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.mark.parametrize("seed", range(FILES))
def test_kernel_and_policy_agree(differential: Differential, seed: int) -> None:
    assert differential.disagreements(seed, 100) == []
    assert differential.pairs


def test_a_difference_is_found(differential: Differential) -> None:
    """The policy is asked about other rules than the kernel has, and that is noticed."""

    def other(text: str) -> str:
        text = text.replace("conduit permit ip any any", "conduit deny ip any any")
        return re.sub(r"(access-list \w+-in) permit", r"\1 deny", text)

    found = [differential.disagreements(seed, 100, altered=other) for seed in range(3)]
    assert any(found)


def test_the_dice_reach_every_feature() -> None:
    text = "\n".join(Dice(seed).text() for seed in range(200))
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
        "ip verify reverse-path",
        "sysopt noproxyarp",
    ):
        assert feature in text, feature
