"""A city with known truth: world, fleet, faults, recordings, and the check that nothing gets lost."""
