"""The golden model: what the hardware must do, in results and in cycles."""
