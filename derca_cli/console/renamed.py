"""Names of commands and options: old ones, which work for one release, and words that other tools have for commands."""

from collections.abc import Sequence

from derca_flow.tools.progress import stderr

#: Old name of a command -> its name.
COMMANDS = {"place": "tables"}
#: Command -> old name of an option -> its name.
OPTIONS = {
    "sweep": {"--scheduler": "--dask"}, "explore": {"--scheduler": "--dask"}, "reproduce": {"--scheduler": "--dask"},
    "host": {"--cycles": "--horizon"}, "bench estimate": {"--processes": "--jobs"},
}
_SIMULATION = "derca simulate (the cycle-exact model) or derca run (the RTL)"
#: Words of other tools for what a command does: command, or sentence -> words.
_FOREIGN = {
    "analyze": "schedule schedulability sched prove proof verify check wcet rta analysis",
    "build": "synth synthesize synthesise synthesis pnr route place-and-route bitstream make compile impl implement",
    _SIMULATION: "sim test simulation cosim emulate execute model",
    "report": "area estimate utilization utilisation resources resource stat stats fmax timing lut",
    "generate": "verilog rtl elaborate emit export lint convert-verilog gen netlist",
    "ip": "package vivado axi core xci",
    "host": "load program flash prog upload connect serial uart",
    "init": "new create project start template",
    "import": "onnx tflite quantize quantise network networks infer",
    "view": "wave waves waveform gui show plot trace timeline gantt perfetto browser",
    "explore": "dse optimize optimise search tune space",
    "sweep": "experiment random generate-tasksets campaign",
    "reproduce": "figure fig paper",
    "convert": "simso csv translate",
    "tables": "placement points preemption layout",
    "cache": "clean purge gc",
    "doctor": "deps dependencies env install setup tools",
    "bench": "benchmark measure profile perf",
}
#: Word -> what is meant.
MEANT = {word: meant for meant, words in _FOREIGN.items() for word in words.split()}


def renamed(arguments: Sequence[str]) -> list[str]:
    """A command line with the names of today; each old one is reported on stderr, once."""
    found, told = list(arguments), {}
    if not found:
        return found
    if found[0] in COMMANDS:
        told[f"derca {found[0]}"] = f"derca {COMMANDS[found[0]]}"
        found[0] = COMMANDS[found[0]]
    names = OPTIONS.get(found[0]) or OPTIONS.get(" ".join(found[:2]), {})
    for i, argument in enumerate(found):
        if argument == "--":
            break
        name, equals, value = argument.partition("=")
        if name in names:
            told[name] = names[name]
            found[i] = names[name] + equals + value
    for old, new in told.items():
        stderr().print(f"renamed: {old} is now {new}; the old name works until the next release", markup=False)
    return found
