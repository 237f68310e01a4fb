"""The host's side: the driver, and the link to a board."""
