"""Running a task set from start to end, on compiled RTL or on a board, and comparing its results."""
