"""The boards of AMD that come with `derca ip`: facts about each. `board_file` reads those of users."""

from dataclasses import dataclass, field
from pathlib import Path

from derca_hw.families.family import Family

from ..tools.checkout import sample


@dataclass(frozen=True)
class VendorBoard:
    """One board.

    Attributes
    ----------
    name, title
        As given on the command line, and for people.
    part
        The device, in the vendor's words.
    board_part, connections
        Patterns of the board's description in Vivado, and of the carrier it sits on; empty where none is needed.
    design
        Script of the block design in `tcl/`.
    family
        DSP blocks named by the Verilog; portable Verilog leaves the choice to Vivado.
    base
        Address at which the accelerator's memory begins.
    registers
        Address of its registers, as the host sees them.
    available
        What the device has: LUT and REG, BRAM blocks of 36 Kbit, DSP blocks.
    synthesis
        Device family as Yosys knows it, or the nearest to it.
    memory
        Its main memory and the way there.
    interrupt
        Number of the interrupt that the project connects, among the shared ones of the processor, as the device tree
        counts them; 0 without a processor.
    platform_file, constraints_file
        Platform and pins; None for the samples of the board's name.
    """

    name: str
    title: str
    part: str
    board_part: str
    connections: str
    design: str
    family: Family
    base: int
    registers: int
    available: dict[str, int] = field(hash=False)
    synthesis: str
    memory: str
    interrupt: int = 0
    platform_file: Path | None = field(default=None, repr=False)
    constraints_file: Path | None = field(default=None, repr=False)

    @property
    def processor(self) -> bool:
        """Whether the device has one, which then is the host."""
        return self.design != "artix7.tcl"

    @property
    def last_step(self) -> str:
        """The step of Vivado that makes the file that configures the device."""
        return "write_device_image" if self.design == "versal.tcl" else "write_bitstream"

    @property
    def constraints(self) -> Path:
        """The file of its pins."""
        return self.constraints_file or sample("constraints", f"{self.name}.xdc")

    @property
    def platform(self) -> Path:
        """The file of its platform."""
        return self.platform_file or sample("platforms", f"{self.name}.toml")


#: Resources as in the vendor's product tables: DS180 (7 series), DS987 (K26 module), DS891 (Zynq UltraScale+), DS950.
BOARDS: dict[str, VendorBoard] = {board.name: board for board in (
    VendorBoard("vck190", "AMD VCK190 with Versal AI Core XCVC1902", "xcvc1902-vsva2197-2MP-e-S",
                "xilinx.com:vck190:part0:*", "", "versal.tcl", Family.PORTABLE, 0x4000_0000, 0xA400_0000,
                {"LUT": 899_840, "REG": 1_799_680, "BRAM": 967, "DSP": 1968}, "xcup",
                "DDR4 behind the network on chip", 84),
    VendorBoard("arty-a7-100", "Digilent Arty A7-100T with Artix-7 XC7A100T", "xc7a100tcsg324-1",
                "", "", "artix7.tcl", Family.PORTABLE, 0, 0x4000_0000,
                {"LUT": 63_400, "REG": 126_800, "BRAM": 135, "DSP": 240}, "xc7",
                "block RAM behind an interconnect that the host shares"),
    VendorBoard("kria-kv260", "AMD Kria KV260 with Zynq UltraScale+ XCK26", "xck26-sfvc784-2LV-c",
                "xilinx.com:kv260_som:part0:*", "som240_1_connector xilinx.com:kv260_carrier:som240_1_connector:*",
                "zynqmp.tcl", Family.ULTRASCALE, 0x4000_0000, 0xA000_0000,
                {"LUT": 117_120, "REG": 234_240, "BRAM": 144, "DSP": 1248}, "xcup",
                "DDR4 behind the interconnect of the processor", 89),
    VendorBoard("zcu104", "AMD ZCU104 with Zynq UltraScale+ XCZU7EV", "xczu7ev-ffvc1156-2-e",
                "xilinx.com:zcu104:part0:*", "", "zynqmp.tcl", Family.ULTRASCALE, 0x4000_0000, 0xA000_0000,
                {"LUT": 230_400, "REG": 460_800, "BRAM": 312, "DSP": 1728}, "xcup",
                "DDR4 behind the interconnect of the processor", 89),
)}
