"""Benchmarks: programs that measure the product; no part of it."""
