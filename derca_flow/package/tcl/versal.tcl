# Versal: the processor is the host, the DDR behind the network on chip the memory. Clock and reset come from the
# processor, too.

proc connect_board {} {
    global facts

    create_bd_cell -type ip -vlnv xilinx.com:ip:versal_cips cips
    apply_bd_automation -rule xilinx.com:bd_rule:cips -config {
        board_preset {Yes} boot_config {Custom} configure_noc {Add new AXI NoC} debug_config {JTAG}
        design_flow {Full System} mc_type {DDR} num_mc_ddr {1} num_mc_lpddr {None} pl_clocks {1} pl_resets {1}
    } [get_bd_cells cips]
    # Keys that are not named here keep what the board's preset has set.
    set_property CONFIG.PS_PMC_CONFIG [dict create \
        CLOCK_MODE Custom \
        PMC_CRP_PL0_REF_CTRL_FREQMHZ $facts(clock_mhz) \
        PS_PL_CONNECTIVITY_MODE Custom \
        PS_USE_PMCPL_CLK0 1 \
        PS_NUM_FABRIC_RESETS 1 \
        PS_USE_M_AXI_FPD 1 \
        PS_M_AXI_FPD_DATA_WIDTH 32 \
        PS_IRQ_USAGE {{CH0 1} {CH1 0} {CH2 0} {CH3 0} {CH4 0} {CH5 0} {CH6 0} {CH7 0} {CH8 0} {CH9 0} {CH10 0} \
            {CH11 0} {CH12 0} {CH13 0} {CH14 0} {CH15 0}} \
    ] [get_bd_cells cips]
    create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset

    # -- registers: processor to accelerator
    create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect register_bus
    set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] [get_bd_cells register_bus]
    connect_bd_intf_net [get_bd_intf_pins cips/M_AXI_FPD] [get_bd_intf_pins register_bus/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins register_bus/M00_AXI] [get_bd_intf_pins derca/s_axi]

    # -- memory: one more port of the network that the automation has made for the processor
    set noc [get_bd_cells axi_noc_0]
    set port [get_property CONFIG.NUM_SI $noc]
    set clock [get_property CONFIG.NUM_CLKS $noc]
    set_property -dict [list CONFIG.NUM_SI [expr {$port + 1}] CONFIG.NUM_CLKS [expr {$clock + 1}]] $noc
    set pin [format "axi_noc_0/S%02d_AXI" $port]
    set bandwidth [expr {int($facts(clock_mhz) * $facts(data_width) / 8)}]
    set_property -dict [list \
        CONFIG.CATEGORY pl \
        CONFIG.CONNECTIONS [list MC_0 [list read_bw $bandwidth write_bw $bandwidth \
            read_avg_burst $facts(burst_beats) write_avg_burst $facts(burst_beats)]] \
    ] [get_bd_intf_pins $pin]
    set_property CONFIG.ASSOCIATED_BUSIF [file tail $pin] [get_bd_pins axi_noc_0/aclk$clock]
    connect_bd_intf_net [get_bd_intf_pins derca/m_axi] [get_bd_intf_pins $pin]

    connect_bd_net [get_bd_pins cips/pl0_ref_clk] [get_bd_pins cips/m_axi_fpd_aclk] \
        [get_bd_pins reset/slowest_sync_clk] [get_bd_pins register_bus/aclk] [get_bd_pins axi_noc_0/aclk$clock] \
        [get_bd_pins derca/aclk]
    connect_bd_net [get_bd_pins cips/pl0_resetn] [get_bd_pins reset/ext_reset_in]
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins register_bus/aresetn] \
        [get_bd_pins derca/aresetn]
    connect_bd_net [get_bd_pins derca/interrupt] [get_bd_pins cips/pl_ps_irq0]

    # -- addresses
    assign_bd_address -offset $facts(registers) -range $facts(register_range) \
        -target_address_space [get_bd_addr_spaces cips/M_AXI_FPD] [get_bd_addr_segs $facts(register_segment)]
    assign_bd_address
}
