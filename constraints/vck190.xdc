# AMD VCK190: pins of the project that build.tcl of `derca ip --board vck190` makes. Clock and reset come from the
# processor.

# LEDs GPIO_LED_0, _1 and _2, lit when high.
set_property -dict {PACKAGE_PIN H34 IOSTANDARD LVCMOS18} [get_ports led_running]
set_property -dict {PACKAGE_PIN J33 IOSTANDARD LVCMOS18} [get_ports led_miss]
set_property -dict {PACKAGE_PIN K36 IOSTANDARD LVCMOS18} [get_ports led_fault]
set_false_path -to [get_ports led_running]
set_false_path -to [get_ports led_miss]
set_false_path -to [get_ports led_fault]
