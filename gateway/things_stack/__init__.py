"""The Things Stack v3 beyond its messages: downlinks by its HTTP API, radio quality and synchronisation."""
