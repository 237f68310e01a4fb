"""`derca bench history`: the figures of this commit beside those of earlier ones."""
