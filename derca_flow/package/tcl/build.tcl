# Makes a Vivado project for the board: the accelerator, its memory and its host, connected and validated.
#
#   vivado -mode batch -source build.tcl                       the project with its block design
#   vivado -mode batch -source build.tcl -tclargs bitstream    the same, then synthesis, implementation, device image
#
# Reads settings.tcl and design.tcl beside it, packaged hardware in ip/, pins in board.xdc; writes project/.

set here [file dirname [file normalize [info script]]]
source [file join $here settings.tcl]
source [file join $here design.tcl]

set project [file join $here project]
if {[file exists $project] && ![file exists [file join $project derca.xpr]]} {
    error "$project is not a project of this script; move it away, or run derca ip into another folder"
}
create_project derca $project -part $facts(part) -force
if {$facts(board_part) ne ""} {
    # The newest description of the board that is installed; it holds the settings of the processor and of its memory.
    set found [lindex [lsort -dictionary [get_board_parts -quiet $facts(board_part)]] end]
    if {$found eq ""} {
        error "no board files for $facts(board_part); install them with Vivado's board store (xhub)"
    }
    set_property board_part $found [current_project]
    if {$facts(connections) ne ""} {
        set_property board_connections $facts(connections) [current_project]
    }
}
set_property ip_repo_paths [list [file join $here ip]] [current_project]
update_ip_catalog

# -- block design
create_bd_design derca_system
create_bd_cell -type ip -vlnv $facts(vlnv) derca
connect_board
foreach {led pin} {led_running running led_miss missed led_fault faulty} {
    create_bd_port -dir O $led
    connect_bd_net [get_bd_pins derca/$pin] [get_bd_ports $led]
}
validate_bd_design
save_bd_design

# -- top level and pins
set design [get_files derca_system.bd]
make_wrapper -files $design -top -import
set_property top derca_system_wrapper [get_filesets sources_1]
add_files -fileset constrs_1 -norecurse [file join $here board.xdc]
update_compile_order -fileset sources_1

if {[lsearch -exact $argv bitstream] < 0} {
    puts "Project made: [file join $here project derca.xpr]. Add `-tclargs bitstream` to implement it."
    return
}

# -- implementation
launch_runs impl_1 -to_step $facts(last_step) -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "implementation ended early: [get_property STATUS [get_runs impl_1]]"
}
open_run impl_1
report_utilization -hierarchical -file [file join $here utilization.rpt]
report_timing_summary -file [file join $here timing.rpt]
if {$facts(processor)} {
    write_hw_platform -fixed -include_bit -force [file join $here derca.xsa]
}
set slack [get_property SLACK [get_timing_paths -delay_type max]]
puts "Worst slack: $slack ns at $facts(clock_mhz) MHz; reports: utilization.rpt, timing.rpt"
if {$slack < 0} {
    error "timing is not met; lower clock_mhz in the platform and run derca ip again"
}
