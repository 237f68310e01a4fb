"""The software half of derca-hw: configuration, compiler, golden model, event log. Never imports Amaranth."""
