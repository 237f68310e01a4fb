"""Parts without a domain of their own: FIFOs, RAMs, arithmetic, droppable streams."""
