"""The frame of every benchmark: registry, competitors in turn, medians, the report that is printed.

A benchmark is a file in bench/ with `@BENCHMARKS.register("name")` on a function (quick: bool) -> Report.
"""

import os
import platform
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec

from citynet.plugins import Family

Competitor = Callable[[], float]


@dataclass(frozen=True)
class Report:
    """ratios: ours over a competitor, more is better. figures: the medians behind them, unit last in the name."""

    ratios: dict[str, float]
    figures: dict[str, float]
    conditions: dict[str, str | int | float | bool] = field(default_factory=dict)

    def json(self) -> str:
        """The report as indented JSON, numbers with four significant digits, the machine among the conditions."""
        body = asdict(self)
        body["ratios"] = {name: float(f"{value:.4g}") for name, value in self.ratios.items()}
        body["figures"] = {name: float(f"{value:.4g}") for name, value in self.figures.items()}
        body["conditions"] = {**machine(), **self.conditions}
        return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


BENCHMARKS: Family[Callable[[bool], Report]] = Family("benchmark")


def in_turn(competitors: Mapping[str, Competitor], *, rounds: int) -> dict[str, list[float]]:
    """Run every competitor once a round and give their figures by name.

    The order turns round each time, so that a machine that slows down or warms up favours nobody.
    """
    found: dict[str, list[float]] = {name: [] for name in competitors}
    for number in range(rounds):
        names = list(competitors)
        for name in names if number % 2 == 0 else names[::-1]:
            found[name].append(competitors[name]())
    return found


def medians(found: Mapping[str, list[float]]) -> dict[str, float]:
    """The median figure of each competitor."""
    return {name: statistics.median(values) for name, values in found.items()}


def spread(values: list[float]) -> float:
    """(largest - smallest) / median: how far a figure can be trusted."""
    return (max(values) - min(values)) / statistics.median(values)


def machine() -> dict[str, str | int | float | bool]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count() or 0,
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average": round(os.getloadavg()[0], 1),  # of the last minute, so much of it as the run itself made
        "python": platform.python_version(),
        "numpy": version("numpy"),
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
