"""Synchronisation with network servers: what is the same for each of them. One package a server has the rest."""
