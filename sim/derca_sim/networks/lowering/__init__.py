"""What of a graph runs where, and its layers for the accelerator."""
