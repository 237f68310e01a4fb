"""Runs a tool from a wheel of WebAssembly with a deep stack: `python wasm.py MODULE FUNCTION ARGUMENTS`.

ABC recurses as deep as the logic that it processes. The runtime's default stack of half a megabyte is too small for
that.
"""

import importlib
import sys
import threading

import wasmtime
from wasmtime import _ffi

#: Bytes of stack; the thread that runs the tool has its own calls besides.
STACK = 128 << 20


class DeepConfig(wasmtime.Config):
    """The runtime's configuration with `STACK`."""

    def __init__(self):
        super().__init__()
        _ffi.wasmtime_config_async_stack_size_set(self.ptr(), STACK)  # the limit of the next, without a method
        self.max_wasm_stack = STACK


def main() -> int:
    """Run the tool; its exit code."""
    module, function, *arguments = sys.argv[1:]
    wasmtime.Config = DeepConfig
    threading.stack_size(STACK + (16 << 20))
    return getattr(importlib.import_module(module), function)(arguments)


if __name__ == "__main__":
    sys.exit(main())
