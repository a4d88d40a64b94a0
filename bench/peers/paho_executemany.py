"""Peer: the script after its first complaint: paho on_message, executemany and commit each 1,000 rows or second.

Run as `python -m bench.peers.paho_executemany <mqtt port> <database url>`. Messages are acknowledged as they come,
before they are stored: what it holds is lost when it dies.
"""

import sys
import time

import paho.mqtt.client as mqtt
import psycopg

from bench.peers.paho_insert import INSERT
from bench.peers.script import Row, Script

ROWS = 1000
FLUSH_S = 1.0


def main(port: int, url: str) -> None:
    """Store until killed."""
    script = Script(port, url)
    database = psycopg.connect(url)
    held: list[Row] = []
    flushed = time.monotonic()

    def flush() -> None:
        nonlocal flushed
        if held:
            with database.cursor() as cursor:
                cursor.executemany(INSERT, held)
            database.commit()
            held.clear()
        flushed = time.monotonic()

    def take(message: mqtt.MQTTMessage) -> None:
        held.extend(script.rows(message))
        if len(held) >= ROWS:
            flush()

    script.start(take)
    while True:
        script.client.loop(0.1)
        if time.monotonic() - flushed > FLUSH_S:
            flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
