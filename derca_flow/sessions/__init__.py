"""A task set run from start to end, on compiled RTL or on a board, and its results compared."""
