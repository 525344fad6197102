"""What the tests of a process with the test card share: `pytest -p testcard.plugin`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from testcard import backend, device
from testcard.backend import RECORD, Launched

backend.register()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """A test begins with an empty record, on the first card, and leaves the cards as they were."""
    RECORD.launches.clear()
    yield
    RECORD.failure, RECORD.missing = "", None
    assert device.current_card() == 0
    assert [device.current_stream(card) for card in range(device.CARDS)] == [0, 0]


@pytest.fixture
def launches() -> list[Launched]:
    """What has been launched since the test began."""
    return RECORD.launches


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
