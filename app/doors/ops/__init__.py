"""What operators and orchestrators ask: alive, ready, metrics."""
