# Packages the Verilog with Vivado's own packager, in place of the component.xml that came with it:
#
#   vivado -mode batch -source package_ip.tcl
#
# The interfaces come from the attributes of the ports; the script ends with an error where one was not recognised.

set here [file dirname [file normalize [info script]]]
source [file join $here settings.tcl]
set root [file join $here ip]

create_project package_ip -in_memory -part $facts(part)
add_files -norecurse [file join $root hdl $facts(top).v]
add_files -fileset constrs_1 -norecurse [file join $root constraints $facts(top)_ooc.xdc]
set_property USED_IN {synthesis implementation out_of_context} \
    [get_files [file join $root constraints $facts(top)_ooc.xdc]]
set_property top $facts(top) [current_fileset]
lassign [split $facts(vlnv) :] vendor library name version
ipx::package_project -root_dir $root -vendor $vendor -library $library -taxonomy /AXI_Peripheral -force
set core [ipx::current_core]
set_property name $name $core
set_property version $version $core
set_property display_name $facts(display_name) $core

foreach {interface mode} $facts(interfaces) {
    set found [ipx::get_bus_interfaces $interface -of_objects $core]
    if {[llength $found] != 1 || [get_property interface_mode $found] ne $mode} {
        error "interface $interface was not recognised as $mode"
    }
}
# Every register can be reached, and an event stream that nobody reads does not fill up.
set_property range $facts(register_range) \
    [ipx::get_address_blocks -of_objects [ipx::get_memory_maps s_axi -of_objects $core]]
set_property driver_value 1 [ipx::get_ports m_axis_event_tready -of_objects $core]

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
