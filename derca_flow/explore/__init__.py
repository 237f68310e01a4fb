"""Which platform does a task set need? Candidates, their area and their proofs, and the best of them."""
