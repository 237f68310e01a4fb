"""The README of a packaged IP."""

from derca_hw.ip import EVENT_BITS, EVENT_OFFSETS
from derca_sim.model.platform import Platform
from derca_sim.model.registers import register_map

from .boards import VendorBoard
from .component import Identity
from .interfaces import Interface

#: How a host reaches registers and memory, by the script of the block design.
_HOSTS = {
    "artix7.tcl": "There is no processor: the host is a computer at the JTAG cable. In Vivado's hardware manager, "
                  "`create_hw_axi_txn` and `run_hw_axi` read and write registers and memory.",
    "zynqmp.tcl": "The host is the processor. Under Linux, keep the memory window from the kernel with a "
                  "`reserved-memory` node; bare metal, keep the linker away from it. The port to the DDR is not "
                  "coherent: flush and invalidate caches around what the accelerator reads and writes. `interrupt` is "
                  "the first of `pl_ps_irq0`.",
    "versal.tcl": "The host is the processor. Under Linux, keep the memory window from the kernel with a "
                  "`reserved-memory` node; bare metal, keep the linker away from it. The port to the DDR is not "
                  "coherent: flush and invalidate caches around what the accelerator reads and writes. `interrupt` is "
                  "`pl_ps_irq0`.",
}


def readme(p: Platform, board: VendorBoard, base: int, interfaces: dict[str, Interface]) -> str:
    """Commands, addresses, interfaces."""
    identity, registers = Identity.of(p), register_map(p)
    window = 1 << (p.memory.size - 1).bit_length()
    rows = "\n".join(f"| `{i.name}` | {i.type} | {i.mode} | {len(i.ports)} |" for i in interfaces.values())
    event = ", ".join(f"{field} from bit {offset}" for field, offset in EVENT_OFFSETS.items())
    return f"""# {identity.vlnv} for {board.title}

Platform {p.name}, configuration `{p.config_hash:08x}` (`platform.json`), part `{board.part}`, {p.clock_mhz:g} MHz.

## Build

    vivado -mode batch -source build.tcl                      # project/derca.xpr with its block design, validated
    vivado -mode batch -source build.tcl -tclargs bitstream   # and a device image, utilization.rpt, timing.rpt, derca.xsa

In a design of your own: add `ip/` to the IP repositories (`set_property ip_repo_paths`), then

    create_bd_cell -type ip -vlnv {identity.vlnv} derca

`vivado -mode batch -source package_ip.tcl` packages `ip/hdl` again with the packager of your Vivado, which adds its
version and checksums; the interfaces come out the same, from the attributes in the Verilog. Without packaging, a block
design takes `ip/hdl/derca_ip.v` as a module reference.

The timing report of Vivado is the judge of the clock: {p.clock_mhz:g} MHz is what the platform asks for, and what the
analysis of task sets counts in. Any other clock works; `clock_mhz` in the platform sets it.

## Addresses

| what | address | bytes |
|---|---|---|
| registers, seen by the host | `{board.registers:#x}` | {1 << registers.address_bits:#x} |
| memory, seen by host and accelerator | `{base:#x}` | {window:#x} |

Address 0 of tables and of `memory.bin` is the beginning of the memory window; the accelerator's port cannot leave it.

{_HOSTS[board.design]}

To run a task set: copy `memory.bin` to the memory, make the writes of `host_writes.txt` (address from the beginning of
the registers, value), then write {'5' if p.tables.shadow else '1'} to CONTROL. `derca.h` has the registers for C,
`registers.md` explains them. The memory's latency on the board varies, so cycle counts of the golden model are those of
a memory with fixed latency.

## Interfaces

| name | type | mode | ports |
|---|---|---|---|
{rows}

- `interrupt` is high while a fault stands in FAULTS; writing its bit there clears it.
- `m_axis_event` carries one event a transfer, {EVENT_BITS} bits: {event}; other bits are 0. Left unconnected it is
  always ready and events are dropped without harm.
- {'`trigger_valid` and `trigger_task` release' if p.release.kind == 'swept' else '`trigger` releases'} jobs of sporadic
  tasks; unconnected they are 0, and the register TRIGGER still does.
- `running` is high while time passes, `now` counts its cycles.
"""
