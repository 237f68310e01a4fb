// Model of a single-data-rate SDRAM for simulation: 256 Mbit, 4 banks, 16 bits, speed grade -7 at 100 MHz. The figures
// of another chip replace those of the parameters (`sdram_model` in board.py).
//
// `clk` is the controller's clock; the chip's own is this one inverted, so commands are taken at its falling edge. What
// the chip puts out changes half a cycle after the chip's edge: access time and the way through the pads.
// Every rule of the data sheet that a controller can break ends the simulation ($fatal): commands before the chip is
// initialised, in a bank's wrong state or too early, refreshes too late, bursts cut short, both sides driving the data.
// Memory holds garbage at first: word i is (i * 40503 + 1) modulo 65536, xor i / 65536.
module sdram_chip(
  input clk, input ras_n, input cas_n, input we_n, input [1:0] ba, input [12:0] a, input [1:0] dqm,
  input [15:0] d, input drive, output reg [15:0] q
);
  // Clock cycles at 100 MHz.
  localparam integer START = 20000;               // 200 us
  localparam integer CAS = 2;                     // the only latency that may be asked for
  localparam integer tRCD = 2, tRP = 2;           // 20 ns
  localparam integer tRAS = 5, tRC = 7;           // 42 ns, 63 ns
  localparam integer tRRD = 2, tWR = 2, tMRD = 2; // 14 ns; two cycles; two cycles
  localparam integer tRFC = 7, tREFI = 781;       // 63 ns; 64 ms / 8192

  reg [15:0] cells [0:(1 << 24) - 1];
  integer i;
  initial for (i = 0; i < (1 << 24); i = i + 1) cells[i] = (i * 40503 + 1) ^ (i >> 16);

  integer now = 0, first_refreshes = 0, refreshed = 0, free = 0, row_opened = -1000;
  reg precharged = 0, ready = 0;
  reg [3:0] open = 0;
  reg [12:0] row [0:3];
  integer opened [0:3], closed [0:3];             // when: ACTIVE; the precharge is over
  integer bank;
  initial for (bank = 0; bank < 4; bank = bank + 1) begin
    opened[bank] = -1000;
    closed[bank] = 0;
  end

  integer length = 0, latency = 0;                // of bursts: from the mode register
  reg reading = 0, writing = 0;
  integer since = 0;                              // the burst's command
  reg [23:0] place;                               // of its first word
  reg [15:0] fetched, mask;
  reg out = 0, out_next = 0;

  task fail(input [60 * 8:1] what);
    begin
      $display("sdram_chip: cycle %0d: %0s", now, what);
      $fatal;
    end
  endtask

  // A word of the burst: addresses wrap within a block of the burst's length.
  function [23:0] word(input integer number);
    word = (place & ~(length - 1)) | ((place + number) & (length - 1));
  endfunction

  task column;
    begin
      if (!ready) fail("READ or WRITE before the mode was loaded");
      if (!open[ba]) fail("READ or WRITE in a bank without an open row");
      if (now < opened[ba] + tRCD) fail("READ or WRITE before tRCD");
      if (writing && now < since + length || reading && now < since + length) fail("a burst is cut short");
      place = {row[ba], ba, a[8:0]};
      since = now;
      if (a[10]) open[ba] = 0;
    end
  endtask

  // A bank is closed from `begins` on.
  task close(input integer which, input integer begins);
    begin
      if (begins < opened[which] + tRAS) fail("precharge before tRAS");
      closed[which] = begins + tRP;
    end
  endtask

  always @(negedge clk) begin
    if ({we_n, cas_n, ras_n} != 3'b111) begin
      if (now < START) fail("a command before the chip has started");
      if (now < free) fail("a command during REFRESH or after LOAD MODE");
    end
    if (ready && now > refreshed + tREFI) fail("no REFRESH for too long");
    if (reading && now >= since + length + latency) reading = 0;
    if (writing && now >= since + length) writing = 0;
    case ({we_n, cas_n, ras_n})
      3'b110: begin // ACTIVE
        if (!ready) fail("ACTIVE before the mode was loaded");
        if (open[ba]) fail("ACTIVE in an open bank");
        if (now < closed[ba]) fail("ACTIVE before tRP");
        if (now < opened[ba] + tRC) fail("ACTIVE before tRC");
        if (now < row_opened + tRRD) fail("ACTIVE before tRRD");
        open[ba] = 1;
        row[ba] = a;
        opened[ba] = now;
        row_opened = now;
      end
      3'b101: begin // READ
        column;
        reading = 1;
        if (a[10]) close(ba, now + length);
      end
      3'b001: begin // WRITE
        if (reading) fail("WRITE while words that were read are on the data lines");
        column;
        writing = 1;
        if (a[10]) close(ba, now + length - 1 + tWR);
      end
      3'b010: // PRECHARGE
        if (!a[10]) fail("PRECHARGE of one bank: not in this model");
        else begin
          if (reading || writing) fail("PRECHARGE cuts a burst short");
          for (bank = 0; bank < 4; bank = bank + 1) if (open[bank] || !precharged) close(bank, now);
          open = 0;
          precharged = 1;
        end
      3'b100: begin // REFRESH
        if (!precharged || open != 0) fail("REFRESH with an open row");
        for (bank = 0; bank < 4; bank = bank + 1) if (now < closed[bank]) fail("REFRESH before tRP");
        first_refreshes = first_refreshes + 1;
        refreshed = now;
        free = now + tRFC;
      end
      3'b000: begin // LOAD MODE
        if (first_refreshes < 2 || open != 0) fail("LOAD MODE before two refreshes, or with an open row");
        if (a[12:7] != 0 || a[3] || a[2:0] > 3 || a[6:4] != CAS) fail("LOAD MODE: not a mode of this model");
        length = 1 << a[2:0];
        latency = a[6:4];
        ready = 1;
        free = now + tMRD;
      end
      default: ;
    endcase
    if (writing) begin
      if (!drive) fail("nobody drives the data of a WRITE");
      if (!dqm[0]) cells[word(now - since)][7:0] = d[7:0];
      if (!dqm[1]) cells[word(now - since)][15:8] = d[15:8];
    end
    // Word i can be taken `latency` + i edges after the command's: it comes out after the edge before that.
    out_next = reading && now - since >= latency - 1 && now - since < latency - 1 + length;
    fetched = cells[word(now - since - latency + 1)];
    if (drive && (out || out_next)) fail("both sides drive the data");
    if (drive && !writing) fail("data is driven without a WRITE");
    now = now + 1;
  end

  always @(posedge clk) begin
    out <= out_next;
    q <= out_next ? fetched : 16'hdead ^ now[15:0];
  end
endmodule
