"""`derca bench estimate`: the area estimate against synthesis, and its weights."""
