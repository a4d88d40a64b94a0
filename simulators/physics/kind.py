"""What every kind of device has in common: its devices, its rhythm of reports, its answers to commands."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from citynet.model import Proposal
from simulators.physics.rhythm import Array

Args = dict[str, float | str | bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device says to a command. The effect starts with the answer."""

    accepted: bool
    detail: str = ""


class Kind(ABC):
    """All devices of one class. Subclasses give nominal() and now(), and act() if they take commands."""

    interval_s: float = 900.0
    history_step_s: float = 3600.0
    digits: int = 3

    def __init__(self, devices: list[Proposal], seed: int, number: int) -> None:
        self.devices = devices
        self.rng = np.random.default_rng([seed, number])
        self.row = {p.key: i for i, p in enumerate(devices)}
        # Reports are spread over the interval, on whole seconds.
        self.offset_s = np.floor(self.rng.uniform(0, self.interval_s, len(devices)))

    @abstractmethod
    def nominal(self, t: Array) -> dict[str, Array]:
        """Payload key -> values of shape (devices, len(t)) of an undisturbed city."""

    def now(self, t: float) -> dict[str, Array]:
        """Payload key -> values of shape (devices,) with states and faults. t never goes back."""
        return {key: values[:, 0] for key, values in self.nominal(np.array([t])).items()}

    def alive(self, t: float) -> NDArray[np.bool_]:
        """Which devices have power and a working radio."""
        return np.ones(len(self.devices), bool)

    def urgent(self, t: float) -> NDArray[np.intp]:
        """Rows that report at once, out of their rhythm."""
        return np.array([], np.intp)

    def answer(self, row: int, action: str, args: Args, *, t: float) -> Answer | None:
        """Takes a command. None: the device is off and never answers."""
        return Answer(False, f"unknown action {action}") if self.alive(t)[row] else None

    def state(self) -> dict[str, list[float]]:
        """What must survive a restart of the simulator."""
        return {}

    def restore(self, state: dict[str, list[float]]) -> None:
        """Takes back what state() gave."""
        del state  # nothing was given

    def attribute(self, name: str, default: float) -> Array:
        """A number from the attributes of each device."""
        return np.array([float(p.attributes.get(name, default)) for p in self.devices])
