"""Signatures between the stages of the accelerator."""
