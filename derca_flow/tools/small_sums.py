"""Synthesis for an iCE40 that is nearly full: the fewest logic cells, at some cost in clock rate.

A carry chain takes extra cells at its ends. A register with a clock enable cannot share a cell with the logic that
drives it, unless the enable is removed. So short sums are made of lookup tables, and few registers share an enable.
"""

#: Targets for whose boards it is used.
TARGETS = ("ice40", "ice40hx")
#: File with the rule below, beside the script.
RULE_FILE = "small_sums.v"
#: Sums of so many bits or fewer take no carry chain; fewer registers than this do without an enable.
BITS, REGISTERS = 6, 4
RULE = f"""\
(* techmap_celltype = "$alu" *)
module small_sum (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;
  wire _TECHMAP_FAIL_ = Y_WIDTH > {BITS};
  (* force_downto *) wire [Y_WIDTH-1:0] a, b;
  \\$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
  \\$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(b));
  (* force_downto *) wire [Y_WIDTH-1:0] other = BI ? ~b : b;
  (* force_downto *) wire [Y_WIDTH-1:0] carry = {{CO, CI}};
  genvar i;
  generate for (i = 0; i < Y_WIDTH; i = i + 1) begin:digit
    assign CO[i] = (a[i] & other[i]) | (carry[i] & (a[i] | other[i]));
    assign Y[i] = a[i] ^ other[i] ^ carry[i];
  end endgenerate
  assign X = a ^ other;
endmodule
"""


def commands(synthesis: str, top: str) -> list[str]:
    """Commands of Yosys in place of the plain `synthesis`, a `synth_ice40` with its options."""
    return [
        f"{synthesis} -top {top} -run begin:map_gates",
        f"techmap -map {RULE_FILE}",
        f"{synthesis} -dff -dffe_min_ce_use {REGISTERS} -top {top} -run map_gates:",
    ]
