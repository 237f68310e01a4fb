"""Board: the top level of each board: main memory, link to a host, lights."""
