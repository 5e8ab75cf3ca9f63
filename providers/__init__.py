"""The vendors: what we say to each of them, and the two hands (transport, credentials) that carry it."""
