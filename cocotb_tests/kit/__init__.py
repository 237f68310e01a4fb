"""What the block tests share: builds of single components, runs with seeds and waves, payloads, cycles, platforms."""
