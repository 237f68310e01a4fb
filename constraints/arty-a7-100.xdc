# Digilent Arty A7-100T: pins of the project that build.tcl of `derca ip --board arty-a7-100` makes.

# 100 MHz oscillator.
set_property -dict {PACKAGE_PIN E3 IOSTANDARD LVCMOS33} [get_ports clk]
create_clock -name clk -period 10.000 [get_ports clk]

# Red button RESET, low when pressed. Of no timing: the reset is synchronised inside.
set_property -dict {PACKAGE_PIN C2 IOSTANDARD LVCMOS33} [get_ports resetn]
set_false_path -from [get_ports resetn]

# Green LEDs LD4, LD5 and LD6, lit when high.
set_property -dict {PACKAGE_PIN H5 IOSTANDARD LVCMOS33} [get_ports led_running]
set_property -dict {PACKAGE_PIN J5 IOSTANDARD LVCMOS33} [get_ports led_miss]
set_property -dict {PACKAGE_PIN T9 IOSTANDARD LVCMOS33} [get_ports led_fault]
set_false_path -to [get_ports led_running]
set_false_path -to [get_ports led_miss]
set_false_path -to [get_ports led_fault]

# Configuration bank.
set_property CFGBVS VCCO [current_design]
set_property CONFIG_VOLTAGE 3.3 [current_design]
