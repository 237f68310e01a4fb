"""Diagrams of the hardware's blocks and of the packages, drawn from the code: `./scripts/diagrams`."""
