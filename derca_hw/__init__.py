"""The hardware half of derca-hw: Amaranth components. The folders are the block diagram."""
