"""What packaged IPs are judged by: rules of IP-XACT and of bus definitions, and a stand-in for Vivado."""
