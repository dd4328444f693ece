"""The targets by name, and where their inputs are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WORK = HERE / ".work"
"""Where a run keeps what it makes; not part of the project."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to be fuzzed.

    Args:
        name: what it is called.
        module: the module that has its `one_input`.
    """

    name: str
    module: str

    @property
    def corpus(self) -> Path:
        """Inputs to begin with."""
        return HERE / "corpus" / self.name

    @property
    def found(self) -> Path:
        """Inputs at which something was wrong once."""
        return HERE / "found" / self.name

    def inputs(self) -> list[Path]:
        """All inputs that are part of the project."""
        return sorted([*self.corpus.glob("*"), *self.found.glob("*")])


TARGETS = {
    name: Target(name, f"tests.fuzz.targets.{name}")
    for name in ("segments", "packets", "rule_file", "box_file", "capture")
}
"""Every target, by its name."""
