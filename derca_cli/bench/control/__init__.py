"""`derca bench control`: area, clock and latencies of the real-time blocks."""
