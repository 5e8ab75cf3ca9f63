"""The catalog: facts from config/ (models, prices, policy) as checked, immutable values. Wrong facts stop the start."""
