"""The rig: gateway, simulator and Redis as programs of their own, callers of every kind, what shows from outside."""
