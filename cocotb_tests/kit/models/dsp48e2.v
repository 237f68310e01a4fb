// DSP48E2 of UltraScale+ as far as its documentation tells (UG579): the multiplier A x B with one register for each
// operand, the register M, and P = M. Other settings give nonsense.
module DSP48E2 #(
    parameter integer AREG = 1, parameter integer ACASCREG = 1, parameter integer BREG = 1,
    parameter integer BCASCREG = 1, parameter integer MREG = 1, parameter integer PREG = 1, parameter integer CREG = 1,
    parameter integer ALUMODEREG = 1, parameter integer CARRYINREG = 1, parameter integer CARRYINSELREG = 1,
    parameter integer INMODEREG = 1, parameter integer OPMODEREG = 1
) (
    input CLK, CARRYCASCIN, CARRYIN, MULTSIGNIN,
    input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
    input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
    input [29:0] A, ACIN, input [17:0] B, BCIN, input [47:0] C, PCIN, input [26:0] D,
    input [3:0] ALUMODE, input [2:0] CARRYINSEL, input [4:0] INMODE, input [8:0] OPMODE,
    output [47:0] P
);
    reg [26:0] a;
    reg [17:0] b;
    reg [44:0] kept;
    wire [26:0] a_used = AREG == 0 ? A[26:0] : a;
    wire [17:0] b_used = BREG == 0 ? B : b;
    wire [44:0] product = $signed(a_used) * $signed(b_used);
    wire [44:0] m = MREG == 0 ? product : kept;
    wire known = AREG <= 1 && BREG <= 1 && ACASCREG == AREG && BCASCREG == BREG && PREG == 0 && OPMODEREG == 0
        && ALUMODEREG == 0 && CARRYINREG == 0 && CARRYINSELREG == 0 && INMODEREG == 0
        && OPMODE == 9'b000000101 && ALUMODE == 0 && CARRYIN == 0 && CARRYINSEL == 0 && INMODE == 0;
    always @(posedge CLK) begin
        if (RSTA) a <= 0; else if (CEA2) a <= A[26:0];
        if (RSTB) b <= 0; else if (CEB2) b <= B;
        if (RSTM) kept <= 0; else if (CEM) kept <= product;
    end
    assign P = known ? {{3{m[44]}}, m} : 48'hdead_dead_dead;
endmodule
