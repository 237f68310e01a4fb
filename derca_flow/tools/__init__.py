"""Programs that derca starts, the files it reads and writes, and what it keeps between calls."""
