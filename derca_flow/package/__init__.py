"""Generated hardware as files for others: registers and tables for hosts, and the packaged IP for Vivado."""
