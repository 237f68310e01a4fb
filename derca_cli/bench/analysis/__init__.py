"""`derca bench analysis`: the time that verdicts take."""
