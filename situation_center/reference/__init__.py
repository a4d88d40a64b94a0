"""Reference data of a city as people work with it: files in and out, life cycle, strangers, profiles, addresses."""
