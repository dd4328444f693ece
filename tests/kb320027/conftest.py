"""What every one of these tests needs: root, and namespaces to put a lab into."""

from __future__ import annotations

import pytest

from tests.namespaces import obstacle


@pytest.fixture(scope="session", autouse=True)
def able_machine() -> None:
    """Skip all of these tests, and say why, where the machine cannot carry them."""
    if obstacle():
        pytest.skip(obstacle())
