"""Peer: what Telegraf's mqtt_consumer and postgresql output do together, in Python; acknowledged after the commit.

Run as `python -m bench.peers.telegraf <mqtt port> <database url> default|tuned`.
"""

import sys
import time
from dataclasses import dataclass

import paho.mqtt.client as mqtt
import psycopg

from bench.peers.script import Row, Script

COPY = "COPY {} (series_id, time, received, value) FROM STDIN"
STAGE = "CREATE TEMP TABLE peer_stage (LIKE reading INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
MERGE = "INSERT INTO reading SELECT * FROM peer_stage ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class Tuning:
    """undelivered: messages; batch: rows; flush_s: seconds."""

    undelivered: int
    batch: int
    flush_s: float
    durable: bool


# default: Telegraf's own, but QoS 1: plain COPY, a session that the broker forgets. tuned: a session that is kept, and
# a stage with ON CONFLICT, since what was not acknowledged comes again: as durable and as free of doubles as ours.
TUNINGS = {"default": Tuning(1000, 1000, 10.0, False), "tuned": Tuning(10_000, 10_000, 1.0, True)}


class Output:
    """Rows and messages that wait for the next COPY."""

    def __init__(self, script: Script, database: psycopg.Connection, tuning: Tuning) -> None:
        self.script, self.database, self.tuning = script, database, tuning
        self.rows: list[Row] = []
        self.messages: list[mqtt.MQTTMessage] = []
        self.flushed = time.monotonic()
        if tuning.durable:
            database.execute(STAGE)
            database.commit()

    def take(self, message: mqtt.MQTTMessage) -> None:
        """Hold a message until its rows are written."""
        self.rows += self.script.rows(message)
        self.messages.append(message)
        # In its favour: Telegraf itself would wait for its interval when the limit is reached before a batch is full.
        if len(self.rows) >= self.tuning.batch or len(self.messages) >= self.tuning.undelivered:
            self.flush()

    def tick(self) -> None:
        """Write what has waited long enough."""
        if time.monotonic() - self.flushed > self.tuning.flush_s:
            self.flush()

    def flush(self) -> None:
        """Write, commit, acknowledge."""
        if self.rows:
            now = time.time()
            with self.database.cursor().copy(COPY.format("peer_stage" if self.tuning.durable else "reading")) as copy:
                received = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
                for number, at, value in self.rows:
                    copy.write_row((number, at, received, value))
            if self.tuning.durable:
                self.database.execute(MERGE)
            self.database.commit()
        for message in self.messages:
            self.script.client.ack(message.mid, message.qos)
        self.rows.clear()
        self.messages.clear()
        self.flushed = time.monotonic()


def main(port: int, url: str, mode: str) -> None:
    """Store until killed."""
    tuning = TUNINGS[mode]
    script = Script(port, url, manual=True, persistent=tuning.durable)
    output = Output(script, psycopg.connect(url), tuning)
    script.start(output.take)
    while True:
        script.client.loop(0.1)
        output.tick()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
