"""Boards of the open flow, read from TOML files: those that come with derca, and those that users write."""
