"""Compiling what Verilator wrote: few large compilations, and none of what an earlier call compiled already.

Verilator's makefile compiles a precompiled header per level of optimisation, and each of its files with one of them;
for models as small as ours that takes longer than the model. Here the files that run in every cycle are compiled
together, those that run once are compiled together, and the program around the model is kept by the content of all
that it includes, as are Verilator's own library and one precompiled header of that library for all models.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ..tools.caching import kept
from ..tools.toolchain import verilator_version
from .content import digest

#: Rules beside those of Verilator's makefile, which has the compiler, its options and the library.
_RULES = """
include {prefix}.mk

{headers}.h.gch: {headers}.h
	$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<

$(VK_USER_OBJS) {fast}: CPPFLAGS += -include {headers}.h

fast%.o: fast%.cpp
	$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -c -o $@ $<

once.o: once.cpp
	$(CXX) $(OPT_SLOW) $(CXXFLAGS) $(CPPFLAGS) -c -o $@ $<

headers: {headers}.h.gch

library: $(VK_GLOBAL_OBJS)

program: $(VK_USER_OBJS)

model: {objects} $(VK_USER_OBJS) $(VK_GLOBAL_OBJS)
	$(LINK) $(LDFLAGS) $^ $(LOADLIBES) $(LDLIBS) $(LIBS) $(SC_LIBS) -o $@

.PHONY: headers library program
"""
_MAKEFILE = "model.mk"
#: Name of the header that is compiled once: reading it takes as long as compiling a small model.
_HEADERS = "library_headers"
#: Bytes of C++ from which on a model is worth several compilations side by side.
_SPLIT_BYTES = 4_000_000
#: Bytes of C++ that runs once up to which it is compiled together with the rest.
_SMALL_BYTES = 100_000
_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def compile_model(obj: Path, prefix: str, options: tuple[str, ...], levels: tuple[str, ...],
                  call: Callable[[list[str]], None]) -> Path:
    """Compile a model and the program around it; return the binary.

    Parameters
    ----------
    obj
        Folder that Verilator wrote into; its parent has the files of the program that Verilator was given by name.
    prefix
        Of the names of Verilator's files.
    options
        Of Verilator and the compiler, on which the library and the program depend.
    levels
        Options of make that say how far to optimise.
    call
        Runs a command in `obj`.
    """
    makefile = (obj / f"{prefix}.mk").read_text()
    classes = (obj / f"{prefix}_classes.mk").read_text()
    fast, once = ([obj / f"{name}.cpp"
                   for part in ("CLASSES", "SUPPORT") for name in _listed(classes, f"VM_{part}_{of}")]
                  for of in ("FAST", "SLOW"))
    if sum(file.stat().st_size for file in once) < _SMALL_BYTES:  # reading the headers again would take longer
        fast, once = fast + once, []
    groups = _groups(fast, min(os.cpu_count() or 1, 1 + sum(f.stat().st_size for f in fast) // _SPLIT_BYTES))
    for i, group in enumerate(groups):
        _together(obj / f"fast{i}.cpp", group)
    objects = [f"fast{i}.o" for i in range(len(groups))]
    if once:
        _together(obj / "once.cpp", once)
        objects.append("once.o")
    (obj / _MAKEFILE).write_text(
        _RULES.format(prefix=prefix, objects=" ".join(objects), headers=_HEADERS,
                      fast=" ".join(o for o in objects if o.startswith("fast"))), encoding="utf-8")
    included = ["verilated.h", *(["verilated_vpi.h"] if "--vpi" in options else [])]
    (obj / f"{_HEADERS}.h").write_text("".join(f'#include "{name}"\n' for name in included), encoding="utf-8")
    make = ["make", "-s", "-j2", "-f", _MAKEFILE, *levels]
    tools = (" ".join((*options, *levels)).encode(), verilator_version().encode(), sys.platform.encode())

    program = _listed(makefile, "VM_USER_CLASSES")
    _kept_files(obj, ["verilated*.o"], tools, lambda: call([*make, "library"]))
    _kept_files(obj, [f"{_HEADERS}.h.gch"], tools, lambda: call([*make, "headers"]))
    _kept_files(obj, [f"{name}.o" for name in program], (*tools, *_program_text(obj, program, makefile)),
                lambda: call([*make, "program"]))
    call([*make, "model"])
    return obj / "model"


def _listed(makefile: str, variable: str) -> list[str]:
    """The words of a variable that Verilator writes one on a line."""
    block = re.search(rf"^{variable} \+?= \\\n((?:  .*\n)*)", makefile, re.MULTILINE)
    return [line.strip(" \\") for line in block[1].splitlines()]


def _groups(files: list[Path], count: int) -> list[list[Path]]:
    """The files in `count` groups of about the same size."""
    groups: list[list[Path]] = [[] for _ in range(count)]
    sizes = [0] * count
    for file in sorted(files, key=lambda f: f.stat().st_size, reverse=True):
        smallest = sizes.index(min(sizes))
        groups[smallest].append(file)
        sizes[smallest] += file.stat().st_size
    return groups


def _together(path: Path, files: list[Path]) -> None:
    path.write_text("".join(f'#include "{file.name}"\n' for file in files), encoding="utf-8")


def _kept_files(obj: Path, patterns: list[str], key: tuple[bytes, ...], compile_them: Callable[[], None]) -> None:
    """Give `obj` the compiled files of some patterns, from now or kept from an earlier call."""
    compiled = False

    def fill(work: Path) -> None:
        nonlocal compiled
        compile_them()
        compiled = True
        for pattern in patterns:
            for path in obj.glob(pattern):
                shutil.copy(path, work)

    place = kept("verilator", digest(*key, " ".join(patterns).encode()), fill)
    if not compiled:
        for path in place.iterdir():
            if path.suffix == ".gch":  # large, and nothing is made when it is old
                (obj / path.name).symlink_to(path)
            else:
                shutil.copy(path, obj)  # newer than its source, so that make takes it as it is


def _program_text(obj: Path, program: list[str], makefile: str) -> list[bytes]:
    """Everything of the program that is not Verilator's library: its files, and what they include."""
    rules = re.findall(r"^(\S+)\.o: (\S+)", makefile, re.MULTILINE)
    folders = [obj, obj.parent]
    waiting = [_found(source, folders) for name, source in rules if name in program]
    seen: dict[Path, bytes] = {}
    while waiting:
        file = waiting.pop()
        if file is None or file in seen:
            continue
        seen[file] = file.read_bytes()
        waiting += [_found(name, [file.parent, *folders]) for name in
                    _INCLUDE.findall(seen[file].decode("utf-8", "replace"))]
    return [part for file in sorted(seen) for part in (file.name.encode(), seen[file])]


def _found(name: str, folders: list[Path]) -> Path | None:
    """The first file of a name, or None if it is not among the model's and the program's files."""
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
