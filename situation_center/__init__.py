"""The situation centre: what people see, decide, order; the only writer of registry, incidents and commands."""
