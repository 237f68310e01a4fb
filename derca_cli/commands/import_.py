"""`derca import`: what of a trained model runs where, before anything is built."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_bytes, write_text
from derca_sim.errors import InputError

from ..console.output import JsonOption, print_json, say, say_result, show_table, stdout


def import_(
    model: Annotated[Path, typer.Argument(help="TensorFlow Lite or ONNX model.", show_default=False)],
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML: least cycles of every operator on it, and whether the model fits.",
        show_default=False)] = None,
    batch: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Samples that a job takes at once.")] = 1,
    quantize: Annotated[bool, typer.Option(
        "--quantize", help="Quantise a float ONNX model to int8, write it, and show that.")] = False,
    calibrate: Annotated[Path | None, typer.Option(
        metavar="FILE", help="With --quantize: samples (.npz) of the input, from which the ranges are taken.",
        show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE",
        help="Write the JSON to this file; with --quantize, the int8 model, else to MODEL-int8.onnx here.",
        show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Show every operator of a trained model: where it runs or why it cannot, its shape, its work and its bytes.

    Nothing is built. A model that can run is named by a task set: file = "model.tflite". With --platform, the answer
    names everything that the platform lacks at once, with the lines of TOML that add it.

    [bold]Examples[/bold]

        derca import sim/networks/anomaly_detection.tflite

        derca import sim/networks/anomaly_detection.tflite --platform sim/platforms/tflite.toml --batch 8

        derca import float.onnx --quantize --calibrate samples.npz -o int8.onnx

    [bold]Exit codes[/bold]  0 the model can run, 2 it cannot, with all reasons, or bad input.
    """
    from derca_sim.model.needs import as_lines
    from derca_sim.networks.lowering.deploy import Model, open_graph
    from derca_sim.networks.lowering.mapping import place, reasons
    from derca_sim.networks.lowering.walk import Walk, Where
    from derca_sim.workload.taskset import load_platform

    from ..console.mapping import Job, Suit
    from ..console.models import described, rows, summary

    if calibrate is not None and not quantize:
        raise InputError("--calibrate: allowed with --quantize")
    if quantize:
        model, output = _quantised(model, calibrate, output), None
    graph = open_graph(model)
    system = load_platform(platform) if platform is not None else None
    walk = Walk(graph)
    placed, problems = place(graph, walk, batch), reasons(graph, walk)
    job, suit, lines = None, None, ""
    if not problems and system is not None:
        network = Model(graph).network(graph.name, None, 0, batch)
        suit = Suit.of(system, network)
        problems = [f"{graph.name}: {line}" for line in suit.problems]
        lines = as_lines(suit.changes, suit.notes)
        job = None if problems else Job.of(system, suit.network)
    answer = {**described(graph, placed, system, batch), "reasons": problems,
              **({"platform_lines": lines, "platform_lines_suffice": suit.complete} if lines else {}),
              **({"job": job.described()} if job else {}),
              **({"int8_model": str(model)} if quantize else {})}
    if output is not None and not problems:
        write_text(output, json.dumps(answer, indent=1) + "\n")
    if as_json:
        print_json(answer)
    else:
        say_result(f"{graph.name} cannot run: {len(problems)} reason{'s' * (len(problems) > 1)}" if problems else
                   f"{graph.name} can run: {sum(each.where is Where.ACCELERATOR for each in placed)} of "
                   f"{len(graph.nodes)} operators on the accelerator", not problems)
        columns, table = rows(placed, system)
        show_table(f"{graph.name}: {len(graph.nodes)} operators", columns, table)
        if job is not None:
            show_table(f"Layers of a job on {system.name}", *job.rows())
        for name, text in summary(graph, placed, system, batch):
            say(name, text)
        if job is not None:
            say("job alone", job.summary())
        if quantize:
            say("int8 model", str(model))
        if lines:
            say("lacking", (f"to run the model, set these keys in {platform}, " if suit.complete else
                            f"the model needs these keys in {platform}, and what the last line of this answer says, ")
                + "each in the table that has it already:")
            stdout().print("\n" + lines, markup=False, soft_wrap=True)
    if problems:
        raise InputError(*problems)


def _quantised(model: Path, samples: Path | None, output: Path | None) -> Path:
    """The file of the int8 model that is made of a float one."""
    from derca_sim.networks.lowering.quantise import quantised

    if samples is None:
        raise InputError("--quantize needs samples of the model's input: --calibrate FILE.npz, written by numpy.savez")
    path = output or Path(f"{model.stem}-int8.onnx")
    if path.suffix.lower() != ".onnx":
        raise InputError(f"output = {path}: allowed are names that end in .onnx, since it is an ONNX model that is "
                         "written")
    if output is None and path.exists():
        raise InputError(f"output = {path}: exists already; name a file for the int8 model with -o, or remove this one")
    command = ["derca", "import", str(model), "--quantize", "--calibrate", str(samples), "-o", str(path)]
    write_bytes(path, quantised(model, samples, f"Again: {shlex.join(command)}"))
    return path
