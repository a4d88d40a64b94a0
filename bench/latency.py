"""How long a reading takes from its publish until a query finds it, while the city is loaded."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench import city as cities
from bench.loaded import LIMIT_S, Bench, Shape
from citynet import db
from citynet.settings import Settings
from simulators.load import Load, fleet

SHARES = (0.1, 0.5, 0.9)
LOOK_S, PAUSE_S = 0.002, 0.03
FOUND = "SELECT 1 FROM newest WHERE series_id = %s AND time >= %s"


@dataclass
class Probe:
    """A device of its own that publishes a reading again and again and asks for it; took in seconds."""

    settings: Settings
    device: str
    series: int
    took: list[float] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Until stop is set; a reading that is not found by then does not count."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.device)
        client.username_pw_set("fleet", self.settings.secret("nats_fleet"))
        client.connect("127.0.0.1", self.settings.mqtt_port)
        client.loop_start()
        try:
            with psycopg.connect(db.dsn(self.settings, "analytics"), autocommit=True) as conn:
                while not stop.is_set():
                    self._one(client, conn, stop)
                    stop.wait(PAUSE_S)
        finally:
            client.disconnect()
            client.loop_stop()

    def _one(self, client: Client, conn: psycopg.Connection, stop: threading.Event) -> None:
        now = datetime.now(UTC)
        moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
        body = f'{{"time":{moment.timestamp():.3f},"values":{{"{cities.KEYS[0]}":1.5}}}}'
        began = time.perf_counter()
        client.publish(f"devices/{self.device}/up", body, qos=1)
        while not stop.is_set():
            if conn.execute(FOUND, [self.series, moment]).fetchone():
                self.took.append(time.perf_counter() - began)
                return
            time.sleep(LOOK_S)


def under_load(bench: Bench, probe: Probe, shape: Shape, *, most_s: float, seconds: float) -> dict[str, float]:
    """Milliseconds p50 and p99 at shares of most_s messages a second."""
    figures: dict[str, float] = {}
    for share in SHARES:
        cities.clean(bench.city)
        rate = share * most_s
        messages = fleet(
            list(bench.series), messages=int(rate * seconds), moments=1, keys=shape.keys, start=bench.start
        )
        load = Load(bench.city.settings, messages, rate_s=rate)
        probe.took.clear()
        stop = threading.Event()
        thread = threading.Thread(target=probe.run, args=[stop])
        thread.start()
        try:
            load.run(limit_s=LIMIT_S)
        finally:
            stop.set()
            thread.join()
        p50, p99 = (1000 * float(part) for part in np.quantile(probe.took, (0.5, 0.99)))
        figures |= {f"latency_{100 * share:.0f}_ms_p50": p50, f"latency_{100 * share:.0f}_ms_p99": p99}
    return figures
