"""Passes: each makes another graph of one, with the same results unless it says otherwise."""
