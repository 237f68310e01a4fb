"""What all job release units have in common."""
