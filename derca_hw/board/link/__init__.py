"""The link between a host and a board: bytes on a line, frames, accesses to registers, memory and events."""
