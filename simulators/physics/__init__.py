"""How the demo city behaves: one file a kind of device, vectorised over all devices of the kind."""
