"""Figures of the readings lanes for the pipeline page: rate, latency from the broker's storing to our commit, lag."""

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 30.0
SAMPLES_A_BATCH = 500


class Latency:
    """Latencies of the last WINDOW_S, a sample of each batch."""

    def __init__(self) -> None:
        self._batches: deque[tuple[float, NDArray[np.float64]]] = deque()

    def add(self, arrival_ns: NDArray[np.int64], now_ns: int) -> None:
        """Note a committed batch."""
        step = max(1, len(arrival_ns) // SAMPLES_A_BATCH)
        self._batches.append((time.monotonic(), (now_ns - arrival_ns[::step]) / 1e6))

    def percentiles_ms(self) -> tuple[float, float] | None:
        """(p50, p99) in ms, None when nothing was stored lately."""
        while self._batches and self._batches[0][0] < time.monotonic() - WINDOW_S:
            self._batches.popleft()
        if not self._batches:
            return None
        p50, p99 = np.percentile(np.concatenate([batch for _, batch in self._batches]), [50, 99])
        return float(p50), float(p99)
