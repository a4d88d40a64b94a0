"""Peer: the script everybody starts with: paho on_message, one INSERT a value, one commit a message.

Run as `python -m bench.peers.paho_insert <mqtt port> <database url>`; it says "ready" once it is subscribed.
"""

import json
import sys
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from bench.city import KEYS, series

INSERT = "INSERT INTO reading (series_id, time, received, value) VALUES (%s, %s, now(), %s) ON CONFLICT DO NOTHING"


def main(port: int, url: str) -> None:
    """Store until killed."""
    known = {device: dict(zip(KEYS, numbers, strict=True)) for device, numbers in series(url).items()}
    database = psycopg.connect(url)

    def on_message(_: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        device = known[message.topic.split("/")[1]]
        for moment in body if isinstance(body, list) else [body]:
            time = datetime.fromtimestamp(moment["time"], UTC)
            for key, value in moment["values"].items():
                database.execute(INSERT, [device[key], time, value])
        database.commit()

    def on_connect(client: mqtt.Client, *_: object) -> None:
        client.subscribe("devices/+/up", qos=1)

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="peer")
    client.username_pw_set("peer", "peer")
    client.on_connect, client.on_message = on_connect, on_message
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
