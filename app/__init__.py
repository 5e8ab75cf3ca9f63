"""The running gateway: doors, wiring, hands on the clock, accounts, instruments."""
