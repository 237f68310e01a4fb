"""Helpers of block tests: builds of single components, runs with seeds and waves, payloads, cycles, platforms."""
