"""READINGS -> EVENTS: vectorised state over all series of a partition, rules in event time, one event an edge."""
