"""Admission: how many requests and how many bytes there may be at once, and what becomes of those beyond."""
