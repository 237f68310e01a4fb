"""Cuts Verilog into files, one for each block of the design."""

import re
from collections import defaultdict

_MODULE = re.compile(r"^module (\\\S+|\w+) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\\\S+|\w+) +(?:\\\S+ |\w+) \($", re.MULTILINE)


def in_files(verilog: str, top: str) -> dict[str, str]:
    """Cut a design into files.

    Parameters
    ----------
    verilog
        The design as `generate.verilog` returns it.
    top
        The top module; the blocks are its instances.

    Returns
    -------
    dict
        Text by file name:

        - `derca.v` has the top module.
        - `derca_scheduler.v` and so on have a block and all modules used in that block alone.
        - `derca_shared.v` has the other modules.
        - `derca.f` is the list of these files.
    """
    texts = {found[1]: found[0] for found in _MODULE.finditer(verilog)}
    head = verilog[:_MODULE.search(verilog).start()]
    inside = {name: [kind for kind in _INSTANCE.findall(text) if kind in texts] for name, text in texts.items()}
    blocks: dict[str, set[str]] = defaultdict(set)

    def mark(module: str, block: str) -> None:
        if block not in blocks[module]:
            blocks[module].add(block)
            for inner in inside[module]:
                mark(inner, block)

    for block in inside[top]:
        mark(block, block)
    files: dict[str, str] = {}
    for name, text in texts.items():
        owners = blocks[name]
        if name == top:
            file = f"{top}.v"
        elif len(owners) == 1:
            file = f"{top}_{next(iter(owners)).rpartition('.')[2]}.v"
        else:
            file = f"{top}_shared.v"
        files[file] = files.get(file, head) + text
    return {**files, f"{top}.f": "".join(f"{file}\n" for file in files)}
