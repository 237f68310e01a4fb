"""Load side: from a region to reads, and from their data to slots."""
