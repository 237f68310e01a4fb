"""Store side: from sums in a bank to results in memory."""
