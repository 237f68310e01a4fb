# Artix-7: no processor. A host writes registers and memory through JTAG; the memory is block RAM.

proc connect_board {} {
    global facts

    # -- the board's clock and reset
    create_bd_port -dir I -type clk -freq_hz 100000000 clk
    create_bd_port -dir I -type rst resetn
    set_property CONFIG.POLARITY ACTIVE_LOW [get_bd_ports resetn]
    create_bd_cell -type ip -vlnv xilinx.com:ip:clk_wiz clock
    set_property -dict [list \
        CONFIG.PRIM_IN_FREQ 100.000 \
        CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $facts(clock_mhz) \
        CONFIG.RESET_TYPE ACTIVE_LOW \
        CONFIG.RESET_PORT resetn \
    ] [get_bd_cells clock]
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
    connect_bd_net [get_bd_ports clk] [get_bd_pins clock/clk_in1]
    connect_bd_net [get_bd_ports resetn] [get_bd_pins clock/resetn] [get_bd_pins reset/ext_reset_in]
    connect_bd_net [get_bd_pins clock/locked] [get_bd_pins reset/dcm_locked]

    # -- host and memory
    create_bd_cell -type ip -vlnv xilinx.com:ip:jtag_axi host
    set_property CONFIG.PROTOCOL 0 [get_bd_cells host]
    create_bd_cell -type ip -vlnv xilinx.com:ip:axi_bram_ctrl memory_port
    set_property -dict [list \
        CONFIG.DATA_WIDTH $facts(data_width) \
        CONFIG.SINGLE_PORT_BRAM 0 \
    ] [get_bd_cells memory_port]
    create_bd_cell -type ip -vlnv xilinx.com:ip:blk_mem_gen memory
    set_property CONFIG.Memory_Type True_Dual_Port_RAM [get_bd_cells memory]
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect bus
    set_property -dict [list CONFIG.NUM_SI 2 CONFIG.NUM_MI 2] [get_bd_cells bus]
    connect_bd_intf_net [get_bd_intf_pins host/M_AXI] [get_bd_intf_pins bus/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins derca/m_axi] [get_bd_intf_pins bus/S01_AXI]
    connect_bd_intf_net [get_bd_intf_pins bus/M00_AXI] [get_bd_intf_pins memory_port/S_AXI]
    connect_bd_intf_net [get_bd_intf_pins bus/M01_AXI] [get_bd_intf_pins derca/s_axi]
    connect_bd_intf_net [get_bd_intf_pins memory_port/BRAM_PORTA] [get_bd_intf_pins memory/BRAM_PORTA]
    connect_bd_intf_net [get_bd_intf_pins memory_port/BRAM_PORTB] [get_bd_intf_pins memory/BRAM_PORTB]

    connect_bd_net [get_bd_pins clock/clk_out1] [get_bd_pins reset/slowest_sync_clk] [get_bd_pins derca/aclk] \
        [get_bd_pins host/aclk] [get_bd_pins bus/aclk] [get_bd_pins memory_port/s_axi_aclk]
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins derca/aresetn] \
        [get_bd_pins host/aresetn] [get_bd_pins bus/aresetn] [get_bd_pins memory_port/s_axi_aresetn]

    # -- addresses
    foreach space {host/Data derca/m_axi} {
        assign_bd_address -offset $facts(base) -range $facts(window) \
            -target_address_space [get_bd_addr_spaces $space] [get_bd_addr_segs memory_port/S_AXI/Mem0]
    }
    assign_bd_address -offset $facts(registers) -range $facts(register_range) \
        -target_address_space [get_bd_addr_spaces host/Data] [get_bd_addr_segs $facts(register_segment)]
    exclude_bd_addr_seg -target_address_space [get_bd_addr_spaces derca/m_axi] \
        [get_bd_addr_segs $facts(register_segment)]
}
