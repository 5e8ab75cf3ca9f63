"""Images answered by URL: kept in a store for a while, found again by names that cannot be guessed, and deleted."""
