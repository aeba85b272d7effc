"""What every fault test tells the table: how many were tried, and which were lost."""

from collections.abc import Callable, Sequence

import pytest

Tally = Callable[..., None]


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Reports ``tried`` and ``lost`` to `python -m tests.faults`, and fails where anything was lost."""

    def count(*, tried: int, lost: Sequence[object], measured: str = "") -> None:
        record_property("tried", tried)
        record_property("lost", len(lost))
        record_property("measured", measured)
        assert tried > 0
        assert not lost, f"{len(lost)} of {tried}: {list(lost)[:5]}"

    return count
