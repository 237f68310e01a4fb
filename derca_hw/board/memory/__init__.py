"""Main memory of boards: on the chip, or SDRAM."""
