"""Benchmarks side by side with peers; they run from a checkout: `citynet bench <name>`."""
