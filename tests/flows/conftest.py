"""A situational centre without its loops, a small town in it, and two people at work."""

from collections.abc import AsyncIterator

import pytest

from citynet.access import Actor
from citynet.settings import Settings
from tests.flows.center import Town, person, quiet_center, town_of


@pytest.fixture
async def town(city: Settings) -> AsyncIterator[Town]:
    async with quiet_center(city) as center, town_of(center) as town:
        yield town


@pytest.fixture
async def operator(town: Town) -> Actor:
    return await person(town.center, "ivan", "operator")


@pytest.fixture
async def senior(town: Town) -> Actor:
    return await person(town.center, "olga", "senior_operator")
