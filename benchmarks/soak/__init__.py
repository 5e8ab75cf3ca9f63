"""Soak: a mixed load at a low rate for an hour, with trouble now and then, and whether anything grows or is lost."""
