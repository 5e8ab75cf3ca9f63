"""Where requests come in. Each door speaks one dialect; the gateway behind them knows none."""
