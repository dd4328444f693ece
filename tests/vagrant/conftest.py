"""The option of `make vagrant-test`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--machines",
        choices=("auto", "router", "all"),
        default="auto",
        help="which are virtual machines: the router alone, or all (auto: all if KVM works)",
    )
