# AMD devices, out of context: only the clock is constrained. Period in nanoseconds.
create_clock -name aclk -period 5.000 [get_ports aclk]
