"""Area and clock rate of the hardware, measured by synthesis or estimated."""
