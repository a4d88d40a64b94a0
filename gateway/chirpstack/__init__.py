"""ChirpStack v4 beyond JSON over MQTT: protobuf events, the gRPC API and synchronisation."""

import os

# gRPC would halt its threads around each fork of this process, and may hang there. The children that we start never
# use it: they begin with an exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
