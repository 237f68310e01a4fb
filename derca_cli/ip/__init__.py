"""`derca ip`: the accelerator as a packaged IP for Vivado, with a project for a board."""

from .command import ip

__all__ = ["ip"]
