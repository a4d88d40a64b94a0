"""Shares are dealt so that each has one owner and nobody has two more than another."""

import pytest
from pydantic import ValidationError

from citynet.leases import fair
from citynet.settings import Settings, counts


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8, 9, 12])
def test_all_shares_are_dealt_evenly(workers: int) -> None:
    dealt = [fair(9, workers, place) for place in range(workers)]
    assert sum(dealt) == 9
    assert max(dealt) - min(dealt) <= 1


def test_how_many_processes_of_a_part() -> None:
    assert counts("gateway=2, ingest=3") == {"gateway": 2, "ingest": 3}
    assert counts("") == {}
    for wrong in ("gateway", "gateway=two", "web=0", "web=65"):
        with pytest.raises(ValidationError):
            Settings(copies=wrong)
