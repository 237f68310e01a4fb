"""The golden model: the results and the cycles that the hardware must produce."""
