"""Judges of packaged IPs: rules of IP-XACT and of bus definitions, and a stand-in for Vivado."""
