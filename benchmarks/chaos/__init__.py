"""Chaos: one thing goes wrong under load, with real processes; who notices, what callers see, what is left behind."""
