"""Schedulers against an EDF oracle, cycle by cycle in C++: millions of decisions, and generated mutants."""
