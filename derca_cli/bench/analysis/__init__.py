"""`derca bench analysis`: how long verdicts take."""
