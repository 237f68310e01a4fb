"""A page for the browser that shows runs: what `derca view` writes."""
