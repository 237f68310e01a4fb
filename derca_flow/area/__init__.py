"""What hardware costs and how fast it is: measured by synthesis, or estimated."""
