"""What fuzzing begins with and what it has found, through the targets: nothing is wrong any more.

No fuzzer is needed for it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.fuzz import seeds
from tests.fuzz.target import TARGETS, Target

INPUTS = [
    pytest.param(target, path, id=f"{name}-{path.parent.parent.name}-{path.name}")
    for name, target in TARGETS.items()
    for path in target.inputs()
]


@pytest.mark.parametrize(("target", "path"), INPUTS)
def test_nothing_is_wrong(target: Target, path: Path) -> None:
    import_module(target.module).one_input(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_every_target_has_something_to_begin_with(target: Target) -> None:
    longest = import_module(target.module).LONGEST
    assert any(target.corpus.iterdir())
    assert all(path.stat().st_size <= longest for path in target.corpus.iterdir())


@pytest.mark.parametrize("name", seeds.MADE)
def test_the_corpus_is_what_the_script_makes(name: str) -> None:
    made = dict(seeds.MADE[name]())
    assert {path.name: path.read_bytes() for path in TARGETS[name].corpus.iterdir()} == made
