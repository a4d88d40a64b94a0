"""MESSAGES -> POSTGRESQL: the only writer of what happened: readings, newest values, events, conditions, receipts."""
