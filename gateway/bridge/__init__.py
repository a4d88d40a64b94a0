"""The bridge: messages between outside MQTT brokers and ours, both ways, acknowledged only where they are stored."""
