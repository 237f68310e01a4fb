"""Kernel management: from (task, region) to metadata entries."""
