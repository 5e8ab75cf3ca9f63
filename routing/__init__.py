"""Judgement: which provider, in which order, and what after a failure. Pure: no I/O, no clock, no dice, no logging."""
