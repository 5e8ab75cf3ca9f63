"""Who may call: keys now; budgets and rate limits later."""
