"""The `derca` command."""

import importlib.metadata
import signal
import sys
import traceback
from typing import Annotated

import typer

from derca_flow.tools.surroundings import open_streams
from derca_sim.errors import EXIT_INTERRUPTED

from .console.group import lazy_group

#: Subcommands, in the order of the help; `bench` is a group.
COMMANDS = ("init", "import", "run", "simulate", "analyze", "compare", "view", "explore", "sweep", "convert", "tables",
            "generate", "ip", "build", "host", "report", "reproduce", "bench", "cache", "doctor")

app = lazy_group(__package__, {
    name: {"bench": "bench", "import": "commands.import_"}.get(name, f"commands.{name}") for name in COMMANDS})


def _version(wanted: bool) -> None:
    """Print the version and end, where that is asked for."""
    if wanted:
        print(f"derca {importlib.metadata.version('derca-hw')}")
        raise typer.Exit


@app.callback()
def derca(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")]
    = False,
):
    """A DNN accelerator with an on-chip EDF scheduler that preempts jobs inside layers.

    A task set (TOML) names tasks with periods and deadlines, the networks they run and the platform they run on.

    [bold]Examples[/bold]

        derca import sim/networks/anomaly_detection.tflite

        derca run sim/tasksets/demo.toml

        derca run sim/tasksets/demo.toml --strategy np

        derca analyze sim/tasksets/demo.toml

        derca generate sim/tasksets/demo.toml -o out/hw

        derca build --board icebreaker

        derca ip --board vck190 -o out/vck190

        derca host sim/tasksets/digits_tiny.toml --board icebreaker --sim

        derca report --target ecp5

        derca bench simulation

    Files in sim/ are samples: of a checkout, or written by derca init sim --sample all.

    [bold]Environment[/bold]

    \b
    DERCA_BUILD_DIR     folder of what is kept between calls (derca cache)
                        by default derca/ in $XDG_CACHE_HOME or ~/.cache
    DERCA_SIMULATION_O  how far simulations are optimised, 0 to 3; by default 2
    COLUMNS             width of what goes to no terminal; by default 100

    [bold]Exit codes[/bold]

    \b
    0   done and true
    1   a deadline was missed, or a comparison differs
    2   bad input, or an unsuitable machine: a full disk, a missing permission
    3   a tool is missing
    70  a defect of derca itself, with a traceback
    """


#: Exit code of a defect in derca itself, so that a crash never looks like a missed deadline (EX_SOFTWARE).
EXIT_DEFECT = 70


def main() -> None:
    """Entry point of the `derca` script."""
    open_streams()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: nothing half-written, workers end
    try:
        app()
    except KeyboardInterrupt:  # before or after a command
        sys.exit(EXIT_INTERRUPTED)
    except Exception:
        traceback.print_exc()
        sys.exit(EXIT_DEFECT)


if __name__ == "__main__":
    main()
