"""The device tree overlay that shows a packaged accelerator to Linux: a UIO device, and a buffer that is its memory."""

from derca_hw.ip import window_bits
from derca_sim.host.linux import BASE_PROPERTY
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from .boards import VendorBoard

#: Name of the file, and of the UIO device and the buffer that Linux makes of it.
FILE, UIO, BUFFER = "derca.dtso", "derca", "udmabuf0"
#: Linux reserves memory that it may use itself until the buffer is made in multiples of this many bytes.
GRANULE = 4 << 20


def overlay(p: Platform, board: VendorBoard, base: int) -> str:
    """The overlay's source for hardware whose memory begins at `base`; the board has a processor.

    The region has the size of the memory window, which is all that the accelerator can reach, in whole granules. The
    buffer takes the whole region, so it begins where the window does.
    """
    registers, window = 1 << register_map(p).address_bits, 1 << window_bits(p)
    region = -(-window // GRANULE) * GRANULE
    aligned = "" if base % GRANULE == 0 else (
        f"\n * {base:#x} is no multiple of {GRANULE:#x}: Linux will not reserve it so. Choose another base.")
    wide = "\n\t\tdma-mask = <64>;" if base + region > 1 << 32 else ""
    return f"""\
/*
 * Platform {p.name}, configuration {p.config_hash:08x}, for {board.title}. Generated: do not edit.
 *
 * Compile it with: dtc -@ -I dts -O dtb -o derca.dtbo {FILE}
 * Apply it before Linux starts (boot loader, fdtoverlay): memory cannot be reserved later. The tree that it is applied
 * to needs symbols, because this one names the label gic: compile it with dtc -@, too.{aligned}
 */
/dts-v1/;
/plugin/;

&{{/}} {{
	#address-cells = <2>;
	#size-cells = <2>;

	reserved-memory {{
		#address-cells = <2>;
		#size-cells = <2>;
		ranges;

		derca_memory: derca-memory@{base:x} {{
			compatible = "shared-dma-pool";
			reusable;
			reg = {_pair(base, region)};
		}};
	}};

	{BUFFER} {{
		compatible = "ikwzm,u-dma-buf";
		device-name = "{BUFFER}";
		size = <{_cells(region)}>;
		memory-region = <&derca_memory>;
		sync-mode = <2>;{wide}
	}};

	{UIO}@{board.registers:x} {{
		compatible = "derca,accelerator", "generic-uio";
		reg = {_pair(board.registers, registers)};
		interrupt-parent = <&gic>;
		interrupts = <0 {board.interrupt} 4>;
		{BASE_PROPERTY} = /bits/ 64 <{base:#x}>;
	}};
}};
"""


def _cells(value: int) -> str:
    return f"{value >> 32:#x} {value & 0xFFFFFFFF:#x}"


def _pair(address: int, size: int) -> str:
    return f"<{_cells(address)} {_cells(size)}>"
