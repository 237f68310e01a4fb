"""What is to be run: task sets on platforms, with the networks that they name."""
