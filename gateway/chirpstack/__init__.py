"""ChirpStack v4 beyond JSON over MQTT: protobuf events, the gRPC API and synchronisation."""
