"""Reading a file: its contents, and the graph while it grows."""
