"""Streets, blocks and houses of the demo city on the shore grid; world.py turns them into objects."""

import itertools
from dataclasses import dataclass, field
from random import Random

from simulators.geometry import Point, Shore
from simulators.names import CROSS_STREETS, DISTRICTS, EAST_STREETS, WEST_STREETS, Name

LEVELS_KM = (0.12, 0.38, 0.68, 1.0, 1.34, 1.7, 2.08)
EAST_FROM_KM = 0.9
PORT = (-0.15, 2.3, 0.0, 0.3)  # along from, along to, inland from, inland to


@dataclass(frozen=True, slots=True)
class Street:
    """A street centre line; level streets follow the shore, cross streets climb from it."""

    key: str
    name: Name
    line: list[Point]
    start: float
    end: float
    inland: float | None  # None: a cross street


@dataclass(frozen=True, slots=True)
class House:
    """A building with its address; along / inland place it on the shore grid."""

    address: Name
    district: str
    along: float
    inland: float
    at: Point
    ring: list[Point]
    floors: int


@dataclass(frozen=True, slots=True)
class Block:
    """The land between four streets."""

    key: str
    district: str
    houses: list[House]


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything that is built in the city before any device is placed."""

    shore: Shore
    streets: list[Street]
    blocks: list[Block]
    cross_along: list[float]
    houses: list[House] = field(default_factory=list)


def district_at(along: float) -> str:
    """Key of the district at a place along the shore."""
    return next((d[0] for d in DISTRICTS if d[2] <= along < d[3]), DISTRICTS[-1][0])


def far_km(along: float) -> float:
    """How far inland the city reaches at a place along the shore."""
    return next((d[5] for d in DISTRICTS if d[2] <= along < d[3]), DISTRICTS[-1][5])


def build(seed: int) -> Layout:
    """The same layout for the same seed."""
    rng = Random(f"layout-{seed}")
    shore = Shore()
    first, last = DISTRICTS[0][2] + 0.1, DISTRICTS[-1][3] - 0.1
    pitch = (last - first) / (len(CROSS_STREETS) - 1)
    cross = [first + i * pitch + rng.uniform(-0.04, 0.04) for i in range(len(CROSS_STREETS))]
    streets = [*_level_streets(shore, first, last), *_cross_streets(shore, cross)]
    blocks = _blocks(shore, cross, rng)
    return Layout(shore, streets, blocks, cross, [h for b in blocks for h in b.houses])


def _level_streets(shore: Shore, first: float, last: float) -> list[Street]:
    streets = []
    for i, (name, inland) in enumerate(zip(WEST_STREETS, LEVELS_KM, strict=True)):
        end = PORT[0] if inland < PORT[3] else EAST_FROM_KM
        line = shore.line(first, end, inland)
        streets.append(Street(f"street/W{i + 1}", name, line, first, end, inland))
    for i, name in enumerate(EAST_STREETS):
        inland = LEVELS_KM[i]
        start = PORT[1] if inland < PORT[3] else EAST_FROM_KM
        line = shore.line(start, last, inland)
        streets.append(Street(f"street/E{i + 1}", name, line, start, last, inland))
    return streets


def _cross_streets(shore: Shore, cross: list[float]) -> list[Street]:
    streets = []
    for i, (name, along) in enumerate(zip(CROSS_STREETS, cross, strict=True)):
        near = LEVELS_KM[1] if PORT[0] < along < PORT[1] else LEVELS_KM[0]
        far = max(level for level in LEVELS_KM if level <= far_km(along))
        line = [shore.point(along, near), shore.point(along, (near + far) / 2), shore.point(along, far)]
        streets.append(Street(f"street/C{i + 1:02d}", name, line, near, far, None))
    return streets


def _blocks(shore: Shore, cross: list[float], rng: Random) -> list[Block]:
    blocks: list[Block] = []
    numbers: dict[str, int] = {}
    for left, right in itertools.pairwise(cross):
        middle = (left + right) / 2
        for level, (near, far) in enumerate(itertools.pairwise(LEVELS_KM)):
            in_port = PORT[0] < middle < PORT[1] and near < PORT[3]
            if far > far_km(middle) or in_port or rng.random() < 0.06:  # a park now and then
                continue
            houses = _houses(shore, (left, right, near, far), level, numbers=numbers, rng=rng)
            blocks.append(Block(f"block/{len(blocks) + 1:03d}", district_at(middle), houses))
    return blocks


def _houses(
    shore: Shore, box: tuple[float, float, float, float], level: int, *, numbers: dict[str, int], rng: Random
) -> list[House]:
    """Two rows of houses, each facing the level street on its side."""
    left, right, near, far = box
    houses = []
    stretch = 1 + max(0.0, near) * 0.35  # blocks grow wider inland where the shore curves
    count = max(2, round((right - left) * stretch / 0.11))
    for row, inland in ((0, near + 0.055), (1, far - 0.055)):
        for i in range(count):
            along = left + (right - left) * (i + 0.5) / count
            if rng.random() < 0.12:
                continue
            address = _address(along, level + row, numbers)
            houses.append(_house(shore, (along, inland), (right - left) / count, address=address, rng=rng))
    return houses


def _address(along: float, level: int, numbers: dict[str, int]) -> Name:
    names = EAST_STREETS if along > EAST_FROM_KM and level < len(EAST_STREETS) else WEST_STREETS
    name = names[level]
    numbers[name.ru] = numbers.get(name.ru, 0) + 1
    return Name(f"{name.ru}, {numbers[name.ru]}", f"{numbers[name.ru]} {name.en}")


def _house(shore: Shore, place: tuple[float, float], pitch: float, *, address: Name, rng: Random) -> House:
    along, inland = place
    half_long = pitch * rng.uniform(0.26, 0.38)
    half_deep = rng.uniform(0.008, 0.016)
    ring = [
        shore.point(along + sx * half_long, inland + sy * half_deep)
        for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ]
    floors = rng.choice((2, 3, 5, 5, 5, 9, 9, 12, 16) if inland < 1.4 else (1, 1, 2, 2, 3, 5))
    return House(address, district_at(along), along, inland, shore.point(along, inland), ring, floors)
