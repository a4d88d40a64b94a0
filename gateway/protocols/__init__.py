"""One file a protocol; each registers itself in gateway.wire.PROTOCOLS."""
