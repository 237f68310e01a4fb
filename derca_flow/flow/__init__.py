"""From a board and a task set to a bitstream, step by step."""
