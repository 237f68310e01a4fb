# Configures the board through JTAG, loads the task set beside this script, runs it, and prints what became of its jobs:
#
#   vivado -mode batch -source run.tcl                    runs for a second
#   vivado -mode batch -source run.tcl -tclargs SECONDS
#
# Needs the bitstream of build.tcl, memory.bin and host_writes.txt. A word takes some milliseconds to load.

set here [file dirname [file normalize [info script]]]
source [file join $here settings.tcl]
set seconds [expr {[llength $argv] ? [lindex $argv 0] : 1}]

proc write_word {address value} {
    create_hw_axi_txn -force word $::axi -type write -address [format %08x $address] -data [format %08x $value] -len 1
    run_hw_axi -quiet [get_hw_axi_txns word]
}

proc read_register {offset} {
    global axi facts
    create_hw_axi_txn -force word $axi -type read -address [format %08x [expr {$facts(registers) + $offset}]] -len 1
    run_hw_axi -quiet [get_hw_axi_txns word]
    return [expr 0x[get_property DATA [get_hw_axi_txns word]]]
}

open_hw_manager
connect_hw_server
open_hw_target
set device [lindex [get_hw_devices] 0]
current_hw_device $device
set_property PROGRAM.FILE [file join $here project derca.runs impl_1 derca_system_wrapper.bit] $device
program_hw_devices $device
refresh_hw_device $device
set axi [lindex [get_hw_axis] 0]

# -- memory, registers, start
set file [open [file join $here memory.bin] rb]
binary scan "[read $file]\0\0\0" iu* words
close $file
set address $facts(base)
foreach word $words {
    write_word $address $word
    incr address 4
}
set file [open [file join $here host_writes.txt]]
foreach {offset value} [read $file] {
    write_word [expr {$facts(registers) + "0x$offset"}] 0x$value
}
close $file
write_word [expr {$facts(registers) + $facts(control)}] $facts(start)

# -- results
after [expr {int(1000 * $seconds)}]
puts "cycles: [read_register $facts(now)], faults: [format %#x [read_register $facts(faults)]]"
for {set task 0} {$task < $facts(tasks)} {incr task} {
    set block [expr {$facts(task_base) + $task * $facts(task_stride)}]
    set counts [lmap offset $facts(counts) {read_register [expr {$block + $offset}]}]
    puts [format "task %d: %d jobs released, %d finished, %d late, %d releases while the job before still lived" \
        $task {*}$counts]
}
