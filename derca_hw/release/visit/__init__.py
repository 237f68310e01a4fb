"""A visit of the swept job release, step by step."""
