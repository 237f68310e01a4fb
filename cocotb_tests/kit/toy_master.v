// An AXI4 master programmed by registers, with the ports of `derca`, to test the simulation harness against.
// Reads: two bursts of RLEN + 1 beats at RADDR, presented in cycles R0 and R1. Writes: one burst of WLEN + 1 beats at
// WADDR, AW in cycle W0, first beat in cycle W0 + WLAG (or before AW with FAULT 4). In every cycle with a handshake one
// event tells which: task = {0, trigger, R last, B, W, AW, R, AR}, region = low bits of the read data, arg = RRESP or
// BRESP. The cycle after
// B is a FINISH of task 0. FAULT breaks one rule: 1 WLAST missing, 2 AR dropped while waiting, 3 AR payload changes
// while waiting, 4 W before AW, 5 FIXED burst, 6 narrow burst, 7 W payload changes while waiting, 8 WLAST early.
`ifndef WIDTH
`define WIDTH 64
`endif
module derca (
    input aclk, input aresetn,
    output [0:0] m_axi_awid, output [31:0] m_axi_awaddr, output [7:0] m_axi_awlen, output [2:0] m_axi_awsize,
    output [1:0] m_axi_awburst, output m_axi_awvalid, input m_axi_awready,
    output [`WIDTH-1:0] m_axi_wdata, output [`WIDTH/8-1:0] m_axi_wstrb, output m_axi_wlast, output m_axi_wvalid,
    input m_axi_wready, input [0:0] m_axi_bid, input [1:0] m_axi_bresp, input m_axi_bvalid, output m_axi_bready,
    output [0:0] m_axi_arid, output [31:0] m_axi_araddr, output [7:0] m_axi_arlen, output [2:0] m_axi_arsize,
    output [1:0] m_axi_arburst, output m_axi_arvalid, input m_axi_arready,
    input [0:0] m_axi_rid, input [`WIDTH-1:0] m_axi_rdata, input [1:0] m_axi_rresp, input m_axi_rlast,
    input m_axi_rvalid, output m_axi_rready,
    input [12:0] s_axi_awaddr, input s_axi_awvalid, output s_axi_awready, input [31:0] s_axi_wdata,
    input [3:0] s_axi_wstrb, input s_axi_wvalid, output s_axi_wready, output [1:0] s_axi_bresp, output reg s_axi_bvalid,
    input s_axi_bready, input [12:0] s_axi_araddr, input s_axi_arvalid, output s_axi_arready,
    output reg [31:0] s_axi_rdata, output [1:0] s_axi_rresp, output reg s_axi_rvalid, input s_axi_rready,
    input [3:0] trigger,
    output event_valid, input event_ready, output [31:0] event_cycle, output [3:0] event_kind, output [7:0] event_task,
    output [15:0] event_region, output [1:0] event_arg,
    output reg [31:0] now, output reg running
);
    localparam SIZE = $clog2(`WIDTH / 8);
    reg [31:0] regs [0:15];  // RADDR RLEN R0 R1 WADDR WLEN W0 FAULT RREADY BREADY WLAG WSTRB
    wire [31:0] fault = regs[7];

    // AXI4-Lite: a write needs address and data together; registers from 0x100, CONTROL at 0x00C.
    wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
    assign s_axi_awready = write, s_axi_wready = write, s_axi_bresp = 0, s_axi_rresp = 0;
    assign s_axi_arready = !s_axi_rvalid;
    always @(posedge aclk)
        if (!aresetn) begin
            s_axi_bvalid <= 0; s_axi_rvalid <= 0; running <= 0; now <= 0;
        end else begin
            if (running) now <= now + 1;
            s_axi_bvalid <= write || (s_axi_bvalid && !s_axi_bready);
            if (write && s_axi_awaddr[12:8] == 1) regs[s_axi_awaddr[5:2]] <= s_axi_wdata;
            if (write && s_axi_awaddr == 13'h00C && s_axi_wdata[0]) running <= 1;
            s_axi_rvalid <= (s_axi_arvalid && s_axi_arready) || (s_axi_rvalid && !s_axi_rready);
            if (s_axi_arvalid && s_axi_arready) s_axi_rdata <= regs[s_axi_araddr[5:2]];
        end

    // Reads
    reg ar, ar_second;
    wire ar_fire = m_axi_arvalid && m_axi_arready;
    wire r_fire = m_axi_rvalid && m_axi_rready;
    reg waited;
    assign m_axi_arvalid = ar && !(fault == 2 && waited);
    assign m_axi_araddr = regs[0] + (ar_second ? (regs[1] + 1) << SIZE : 0) + (fault == 3 && waited ? 64 : 0);
    assign m_axi_arlen = regs[1][7:0], m_axi_arsize = fault == 6 ? SIZE - 1 : SIZE, m_axi_arid = 0;
    assign m_axi_arburst = fault == 5 ? 0 : 1;
    assign m_axi_rready = regs[8][now[4:0]];
    always @(posedge aclk)
        if (!aresetn) begin
            ar <= 0; ar_second <= 0; waited <= 0;
        end else begin
            if (ar_fire) ar <= 0;
            if (ar_fire) ar_second <= 1;
            if (running && (now + 1 == regs[2] || now + 1 == regs[3])) ar <= 1;
            waited <= m_axi_arvalid && !m_axi_arready;
        end

    // Writes
    reg aw, w, w_waited, finished;
    reg [7:0] beat;
    wire aw_fire = m_axi_awvalid && m_axi_awready, w_fire = m_axi_wvalid && m_axi_wready;
    wire b_fire = m_axi_bvalid && m_axi_bready;
    assign m_axi_awvalid = aw, m_axi_awaddr = regs[4], m_axi_awlen = regs[5][7:0], m_axi_awsize = SIZE;
    assign m_axi_awburst = 1, m_axi_awid = 0;
    assign m_axi_wvalid = w, m_axi_wdata = {`WIDTH/8{beat + 8'h40 + (fault == 7 && w_waited ? 8'd1 : 8'd0)}};
    assign m_axi_wstrb = regs[11][`WIDTH/8-1:0];
    assign m_axi_wlast = fault == 1 ? 0 : beat == regs[5][7:0] - (fault == 8 ? 1 : 0);
    assign m_axi_bready = regs[9][now[4:0]];
    always @(posedge aclk)
        if (!aresetn) begin
            aw <= 0; w <= 0; beat <= 0; w_waited <= 0; finished <= 0;
        end else begin
            if (aw_fire) aw <= 0;
            if (running && now + 1 == regs[6]) aw <= 1;
            if (w_fire) beat <= beat + 1;
            if (w_fire && beat == regs[5][7:0]) w <= 0;
            if (running && now + 1 == regs[6] + regs[10] - (fault == 4 ? 1 : 0)) w <= 1;
            w_waited <= m_axi_wvalid && !m_axi_wready;
            finished <= b_fire;
        end

    wire [7:0] fired = {1'b0, |trigger, r_fire && m_axi_rlast, b_fire, w_fire, aw_fire, r_fire, ar_fire};
    assign event_valid = running && (finished || fired != 0);
    assign event_cycle = now, event_kind = finished ? 10 : 7, event_task = finished ? 0 : fired;
    assign event_region = m_axi_rdata[15:0];
    assign event_arg = r_fire ? m_axi_rresp : b_fire ? m_axi_bresp : 0;
endmodule
