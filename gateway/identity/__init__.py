"""Device identity: who may sign in at the broker, as whom, and for how long. The part `identity`."""
