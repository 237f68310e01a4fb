# AMD Kria KV260: pins of the project that build.tcl of `derca ip --board kria-kv260` makes. Clock and reset come from
# the processor.

# The carrier has no LEDs for the fabric: pins 1, 3 and 5 of the PMOD connector J2, high when lit.
set_property -dict {PACKAGE_PIN H12 IOSTANDARD LVCMOS33} [get_ports led_running]
set_property -dict {PACKAGE_PIN E10 IOSTANDARD LVCMOS33} [get_ports led_miss]
set_property -dict {PACKAGE_PIN D10 IOSTANDARD LVCMOS33} [get_ports led_fault]
set_false_path -to [get_ports led_running]
set_false_path -to [get_ports led_miss]
set_false_path -to [get_ports led_fault]
