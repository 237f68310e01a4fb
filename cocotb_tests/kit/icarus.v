// A four-state run of the generated Verilog: clock, reset, host and memory around `derca`. Runs under Icarus Verilog.
//
// ports.vh has the sizes, and declares and connects a wire or register for each port. The host writes what writes.hex
// says, address and value in turn, and after the run reads the registers of reads.hex. The memory begins as image.hex
// says; memory.hex is what it is at the end. Prints a line for each event, and a line for the first outputs that are
// unknown: a payload must be known while it is valid, every other output from reset on.
//
// The memory behaves as that of `derca run`: first beat `READ_LATENCY cycles after its address, one per cycle, an answer
// `WRITE_LATENCY cycles after the last beat of a burst, always ready. Reads and writes are served in order.
`timescale 1ns / 1ps
`include "ports.vh"

module bench;
    localparam DEPTH = 64;  // bursts in flight that the memory can hold
    `DECLARATIONS
    derca dut (`CONNECTIONS);

    reg [7:0] memory [0:`MEMORY - 1];
    reg [31:0] writes [0:2 * `WRITES - 1], reads [0:`READS - 1];
    integer t = 0, access = 0, unknown = 0, i;
    reg address_done = 0, data_done = 0, over = 0;

    // Bursts in order: where the next beat is, beats left, and from when on the next beat, or the answer, may come.
    reg [39:0] read_at [0:DEPTH - 1], write_at [0:DEPTH - 1];
    integer read_left [0:DEPTH - 1], read_when [0:DEPTH - 1], answer_when [0:DEPTH - 1];
    integer read_head = 0, read_tail = 0, write_head = 0, write_tail = 0, answer_head = 0, answer_tail = 0;
    reg beat_taken = 0, answer_taken = 0;

    task check;
        input [32 * 8:1] name;
        input [1023:0] value;  // shorter ones are extended by zeros
        if (^value === 1'bx && unknown < 20) begin
            unknown = unknown + 1;
            $display("unknown: %0s in cycle %0d: %b", name, t, value);
        end
    endtask

    initial begin
        $readmemh("image.hex", memory);
        $readmemh("writes.hex", writes);
        $readmemh("reads.hex", reads);
        {event_ready, s_axi_bready, s_axi_rready, m_axi_arready, m_axi_awready, m_axi_wready} = ~0;
        s_axi_wstrb = 15;
        while (t < `LIMIT && (access < `WRITES || !running || now < `HORIZON)) cycle;
        repeat (`DRAIN) cycle;
        over = 1;
        while (t < `LIMIT && access < `WRITES + `READS) cycle;
        $writememh("memory.hex", memory);
        if (t < `LIMIT) $display("done");
        $finish;
    end

    // Inputs change at the beginning of a cycle; what is handed over in it is seen before the rising edge at its end.
    task cycle;
        begin
            aresetn = t >= 4;
            if (beat_taken) m_axi_rvalid = 0;
            if (answer_taken) m_axi_bvalid = 0;
            beat_taken = 0;
            answer_taken = 0;
            if (!m_axi_rvalid && read_head != read_tail && read_when[read_head % DEPTH] <= t) begin
                m_axi_rvalid = 1;
                for (i = 0; i < `BEAT; i = i + 1) m_axi_rdata[8 * i +: 8] = memory[read_at[read_head % DEPTH] + i];
            end
            m_axi_rlast = m_axi_rvalid && read_left[read_head % DEPTH] == 1;
            if (!m_axi_bvalid && answer_head != answer_tail && answer_when[answer_head % DEPTH] <= t) m_axi_bvalid = 1;
            s_axi_awvalid = aresetn && access < `WRITES && !address_done;
            s_axi_wvalid = aresetn && access < `WRITES && !data_done;
            s_axi_arvalid = access >= `WRITES && access < `WRITES + `READS && over && !address_done;
            if (access < `WRITES) begin
                s_axi_awaddr = writes[2 * access];
                s_axi_wdata = writes[2 * access + 1];
            end else if (access < `WRITES + `READS) s_axi_araddr = reads[access - `WRITES];
            #1;
            if (aresetn) begin
                check("an output", `QUALIFIERS);
                if (m_axi_arvalid) check("AR", {m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst});
                if (m_axi_awvalid) check("AW", {m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst});
                if (m_axi_wvalid) check("W", {m_axi_wdata, m_axi_wstrb, m_axi_wlast});
                if (event_valid) check("event", {event_cycle, event_kind, event_task, event_region, event_arg});
                if (s_axi_bvalid) check("the answer to a register write", s_axi_bresp);
                if (s_axi_rvalid) check("a register", {s_axi_rdata, s_axi_rresp});
                hand_over;
            end
            #1 aclk = 1;
            #1 aclk = 0;
            t = t + 1;
        end
    endtask

    task hand_over;
        begin
            if (event_valid)
                $display("event %0d %0d %0d %0d %0d", event_cycle, event_kind, event_task, event_region, event_arg);
            if (m_axi_arvalid) begin
                read_at[read_tail % DEPTH] = m_axi_araddr;
                read_left[read_tail % DEPTH] = m_axi_arlen + 1;
                read_when[read_tail % DEPTH] = t + `READ_LATENCY;
                read_tail = read_tail + 1;
            end
            if (m_axi_rvalid && m_axi_rready) begin
                beat_taken = 1;
                read_at[read_head % DEPTH] = read_at[read_head % DEPTH] + `BEAT;
                read_left[read_head % DEPTH] = read_left[read_head % DEPTH] - 1;
                if (read_left[read_head % DEPTH] == 0) read_head = read_head + 1;
            end
            if (m_axi_awvalid) begin
                write_at[write_tail % DEPTH] = m_axi_awaddr;
                write_tail = write_tail + 1;
            end
            if (m_axi_wvalid) begin
                if (write_head == write_tail) $display("a beat before its address in cycle %0d", t);
                for (i = 0; i < `BEAT; i = i + 1)
                    if (m_axi_wstrb[i]) memory[write_at[write_head % DEPTH] + i] = m_axi_wdata[8 * i +: 8];
                write_at[write_head % DEPTH] = write_at[write_head % DEPTH] + `BEAT;
                if (m_axi_wlast) begin
                    write_head = write_head + 1;
                    answer_when[answer_tail % DEPTH] = t + `WRITE_LATENCY;
                    answer_tail = answer_tail + 1;
                end
            end
            if (m_axi_bvalid && m_axi_bready) begin
                answer_taken = 1;
                answer_head = answer_head + 1;
            end
            if (s_axi_awvalid && s_axi_awready || s_axi_arvalid && s_axi_arready) address_done = 1;
            if (s_axi_wvalid && s_axi_wready) data_done = 1;
            if (s_axi_bvalid || s_axi_rvalid) begin
                if (s_axi_bvalid ? s_axi_bresp != 0 : s_axi_rresp != 0) $display("refused: access %0d", access);
                access = access + 1;
                address_done = 0;
                data_done = 0;
            end
        end
    endtask
endmodule
