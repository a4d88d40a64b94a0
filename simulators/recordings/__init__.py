"""Mappings of known recordings: which columns of a file are which payload keys of which profile."""
