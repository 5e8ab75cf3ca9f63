"""The words every other part of the gateway speaks. Standard library only; no I/O, no clock, no secrets."""
