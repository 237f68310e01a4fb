"""Independent answers to compare the schedulability analysis with: slow, simple, and sharing no code with it."""
