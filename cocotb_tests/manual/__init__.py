"""The manual: chapters that are made of the code, and its build."""
