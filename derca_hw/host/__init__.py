"""Host interface: AXI4-Lite registers, event stream, statistics."""
