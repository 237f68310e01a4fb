"""Device families, and the multiplier that each has."""
