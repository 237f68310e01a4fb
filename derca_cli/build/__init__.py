"""`derca build`: from a board and a task set to a bitstream."""
