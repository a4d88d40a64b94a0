"""Peer: the script everybody starts with: paho on_message, one INSERT a value, one commit a message.

Run as `python -m bench.peers.paho_insert <mqtt port> <database url>`; it says "ready" once it is subscribed.
"""

import sys

import paho.mqtt.client as mqtt
import psycopg

from bench.peers.script import Script

INSERT = "INSERT INTO reading (series_id, time, received, value) VALUES (%s, %s, now(), %s) ON CONFLICT DO NOTHING"


def main(port: int, url: str) -> None:
    """Store until killed."""
    script = Script(port, url)
    database = psycopg.connect(url)

    def take(message: mqtt.MQTTMessage) -> None:
        for row in script.rows(message):
            database.execute(INSERT, row)
        database.commit()

    script.start(take)
    script.client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
