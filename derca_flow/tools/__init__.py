"""The programs that derca starts, the files it reads and writes, and its cache."""
