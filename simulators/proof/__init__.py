"""What demo-check proves with: tallies against the database, latencies, commands, webhooks. Used by check.py."""
