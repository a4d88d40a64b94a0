"""Devices <-> messages: the only room that knows bytes, topics and radio."""
