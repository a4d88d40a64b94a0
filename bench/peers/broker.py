"""The broker of a peer: the same NATS server as ours, plain MQTT; our own mapping would keep its subscriber out."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from citynet import embedded

CONFIG = """server_name: peer
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}" }}
mqtt {{ listen: "127.0.0.1:{mqtt}", ack_wait: "30s", max_ack_pending: 10000 }}
accounts {{ PEER: {{ jetstream: enabled, users: [
  {{user: peer, password: peer}}, {{user: fleet, password: "{fleet}"}}] }} }}
"""


@contextmanager
def plain(mqtt_port: int, *, fleet_password: str) -> Iterator[None]:
    """A broker on mqtt_port for as long as the block takes."""
    with tempfile.TemporaryDirectory(prefix="citynet-peer-") as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(CONFIG.format(port=embedded.free_port(), store=folder, mqtt=mqtt_port, fleet=fleet_password))
        binary = Path(sys.executable).with_name("nats-server")
        process = embedded.spawn([str(binary), "-c", str(config)], log=Path(folder) / "nats.log")
        try:
            while not embedded.port_taken("127.0.0.1", mqtt_port):
                time.sleep(0.02)
            yield
        finally:
            embedded.stop(process)
