# Zynq UltraScale+: the processor is the host, its DDR the memory. Clock and reset come from the processor, too.

proc connect_board {} {
    global facts

    create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1} [get_bd_cells ps]
    set_property -dict [list \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $facts(clock_mhz) \
        CONFIG.PSU__USE__M_AXI_GP0 1 \
        CONFIG.PSU__MAXIGP0__DATA_WIDTH 32 \
        CONFIG.PSU__USE__M_AXI_GP1 0 \
        CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__USE__S_AXI_GP2 1 \
        CONFIG.PSU__SAXIGP2__DATA_WIDTH 128 \
        CONFIG.PSU__USE__IRQ0 1 \
    ] [get_bd_cells ps]
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset

    # -- registers: processor to accelerator; memory: accelerator to the DDR, past the caches
    foreach bus {register_bus memory_bus} {
        create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect $bus
        set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] [get_bd_cells $bus]
    }
    connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins register_bus/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins register_bus/M00_AXI] [get_bd_intf_pins derca/s_axi]
    connect_bd_intf_net [get_bd_intf_pins derca/m_axi] [get_bd_intf_pins memory_bus/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins memory_bus/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0_FPD]

    connect_bd_net [get_bd_pins ps/pl_clk0] [get_bd_pins ps/maxihpm0_fpd_aclk] [get_bd_pins ps/saxihp0_fpd_aclk] \
        [get_bd_pins reset/slowest_sync_clk] [get_bd_pins register_bus/aclk] [get_bd_pins memory_bus/aclk] \
        [get_bd_pins derca/aclk]
    connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins reset/ext_reset_in]
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins register_bus/aresetn] \
        [get_bd_pins memory_bus/aresetn] [get_bd_pins derca/aresetn]
    connect_bd_net [get_bd_pins derca/interrupt] [get_bd_pins ps/pl_ps_irq0]

    # -- addresses
    assign_bd_address -offset $facts(registers) -range $facts(register_range) \
        -target_address_space [get_bd_addr_spaces ps/Data] [get_bd_addr_segs $facts(register_segment)]
    assign_bd_address -target_address_space [get_bd_addr_spaces derca/m_axi] \
        [get_bd_addr_segs ps/SAXIGP2/HP0_DDR_LOW]
    foreach segment [get_bd_addr_segs -quiet ps/SAXIGP2/HP0_*] {
        if {![string match *HP0_DDR_LOW $segment]} {
            exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces derca/m_axi] $segment
        }
    }
}
