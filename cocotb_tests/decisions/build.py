"""The C++ driver over a scheduler compiled by Verilator, cached by content."""

import re
import shutil
from pathlib import Path

from filelock import FileLock

from decisions.bench import Case, DecisionBench, header
from derca_flow.rtl.build import BuildError, call
from derca_flow.rtl.compile import compile_model
from derca_flow.rtl.content import digest
from derca_flow.tools.caching import work_dir
from derca_flow.tools.toolchain import build_directory, verilator_command, verilator_environment, verilator_version
from derca_hw.bus.join import ports
from derca_hw.verilog.convert import convert
from kit.verilog import plain_verilog

HERE = Path(__file__).parent
FLAGS = ("--cc", "--exe", "--top-module", "top", "--prefix", "Vtop", "-O3", "--x-assign", "fast",
         "--x-initial", "fast", "--noassert", "-Wno-fatal", "-Wno-lint", "-Wno-style")
C_FLAGS = "-I.. -DVL_USER_FATAL -std=gnu++20"
MAKE_FLAGS = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O2")
#: Memories and registers whose bits are flipped, by kind; found by the end of their names.
STORED = {"heap": ("low", "high"), "scan": ("records",), "tournament": ("live", "empty", "parity", "key_[0-9]+")}


def source(case: Case) -> str:
    """The bench of a case as RTLIL."""
    bench = DecisionBench(case)
    return convert(bench, "top", ports=ports(bench))


def driver(case: Case) -> Path:
    """The compiled driver of a case."""
    def text() -> str:
        return plain_verilog(DecisionBench(case), "top")

    return compile_driver(case, text, source(case), 0)


def compile_driver(case: Case, text, key: str, mutants: int) -> Path:
    """Compile Verilog (made by calling `text` when it is needed) that is named by `key`.

    Parameters
    ----------
    mutants
        How many mutants the Verilog holds, selected by the input `mutant`.

    Raises
    ------
    BuildError, MissingToolError
        As `derca_flow.rtl.build.build`.
    """
    sources = {path.name: path.read_bytes() for path in sorted(HERE.glob("*.h")) + [HERE / "driver.cpp"]}
    config = header(case, mutants)
    flags = " ".join((*FLAGS, C_FLAGS, *MAKE_FLAGS))
    name = digest(key.encode(), config.encode(), flags.encode(), *sources.values(), verilator_version().encode(),
                  Path(__file__).read_bytes())
    folder = build_directory("decisions") / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "driver").exists():
            with work_dir(folder) as work:
                for file, content in sources.items():
                    (work / file).write_bytes(content)
                (work / "top.v").write_text(text())
                stored = "|".join(STORED[case.kind])
                public = "\n".join(f'public_flat_rw -module "*" -var "*{part.replace("[0-9]+", "*")}"'
                                   for part in STORED[case.kind])
                (work / "public.vlt").write_text(f"`verilator_config\n{public}\n")
                command, env = verilator_command(), verilator_environment()
                call([*command, *FLAGS, "--Mdir", "obj", "-CFLAGS", C_FLAGS, "public.vlt", "top.v", "driver.cpp"],
                     work, env)
                root = (work / "obj" / "Vtop___024root.h").read_text()
                (work / "config.h").write_text(config + f"#define HAS_MUTANTS {int(mutants > 0)}\n")
                (work / "flip.h").write_text(_flip(case, root, stored))
                binary = compile_model(work / "obj", "Vtop", (*FLAGS, C_FLAGS), MAKE_FLAGS,
                                       lambda make: call(make, work / "obj", env))
                shutil.copy2(binary, work / "driver")
                shutil.rmtree(work / "obj")
    return folder / "driver"


def _flip(case: Case, root: str, stored: str) -> str:
    """`flip.h`: flip a bit of a task's record, or of the heap's word at a position; return the task it belongs to."""
    found = {}
    for symbol in re.findall(r"/\*\d+:0\*/ (?:VlUnpacked<[^>]*> )?(\w+);|VlUnpacked<[^;]*> (\w+);", root):
        symbol = "".join(symbol)
        if short := re.search(rf"(?:__DOT__|__02e|^)({stored})$", symbol):
            found[short[1]] = symbol
    missing = [part for part in STORED[case.kind] if not any(re.fullmatch(part, name) for name in found)]
    if missing:
        raise BuildError(f"{case}: the compiled model has no {missing}; looked for in Vtop___024root.h")
    width, task_bits = case.time_width, (case.tasks - 1).bit_length()
    lines = []
    if case.kind == "heap":
        bits = task_bits + width + 1
        lines += [f"    const int64_t task = r.{found['low']}[where] & {(1 << task_bits) - 1};",
                  *(f"    r.{found[copy]}[where] ^= 1ull << bit;" for copy in ("low", "high")), "    return task;"]
    elif case.kind == "scan":
        bits = width + 2
        lines += [f"    r.{found['records']}[where] ^= 1ull << bit;", "    return where;"]
    else:
        bits = width + 3
        for at, name in ((0, "live"), (1, "empty"), (2, "parity")):
            lines.append(f"    if (bit == {width + at}) r.{found[name]} ^= 1ull << where;")
        lines += [f"    if (bit < {width} && where == {i}) r.{found[f'key_{i}']} ^= 1ull << bit;"
                  for i in range(case.tasks)]
        lines.append("    return where;")
    return "\n".join([
        "#pragma once", f"constexpr int64_t FLIP_BITS = {bits};", "template <class Root>",
        "inline int64_t flip_bit(Root &r, int64_t where, int64_t bit) {", *lines, "}", ""])
