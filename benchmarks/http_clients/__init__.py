"""HTTP clients in our path: what each costs in CPU and memory, and how each behaves where money hangs on it."""
