"""Replicate: predictions of official models, and files."""
