"""`derca import`: what of a trained model runs where, before anything is built."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import write_bytes, write_text
from derca_sim.errors import InputError

from ..console.output import JsonOption, print_json, say, show_table


def import_(
    model: Annotated[Path, typer.Argument(help="TensorFlow Lite or ONNX model.", show_default=False)],
    platform: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Platform TOML: least cycles of every operator on it, and whether the model fits.",
        show_default=False)] = None,
    batch: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Samples that a job takes at once.")] = 1,
    quantize: Annotated[Path | None, typer.Option(
        metavar="FILE", help="Quantise a float ONNX model to int8 first, and write it to this file.",
        show_default=False)] = None,
    calibrate: Annotated[Path | None, typer.Option(
        metavar="FILE", help="With --quantize: samples (.npz) from which the ranges are taken.",
        show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(
        "--output", "-o", metavar="FILE", help="Write the JSON to this file.", show_default=False)] = None,
    as_json: JsonOption = False,
):
    """Show every operator of a trained model: where it runs or why it cannot, its shape, its work and its bytes.

    Nothing is built. A model that can run is named by a task set: file = "model.tflite".

    [bold]Examples[/bold]

        derca import sim/networks/anomaly_detection.tflite

        derca import sim/networks/anomaly_detection.tflite --platform sim/platforms/tflite.toml --batch 8

        derca import float.onnx --quantize int8.onnx --calibrate samples.npz

    [bold]Exit codes[/bold]  0 the model can run, 2 it cannot, with all reasons, or bad input.
    """
    from derca_sim.networks.lowering.deploy import Model, check_platform, open_graph
    from derca_sim.networks.lowering.mapping import place, reasons
    from derca_sim.networks.lowering.walk import Walk
    from derca_sim.workload.taskset import load_platform

    from ..console.models import described, rows, summary

    if (quantize is None) != (calibrate is None):
        raise InputError("--quantize and --calibrate: allowed are both or none of them")
    if quantize is not None:
        from derca_sim.networks.onnx.quantise import quantised

        write_bytes(quantize, quantised(model, calibrate))
        model = quantize
    graph = open_graph(model)
    system = load_platform(platform) if platform is not None else None
    walk = Walk(graph)
    placed, problems = place(graph, walk, batch), reasons(graph, walk)
    if not problems and system is not None:
        try:
            check_platform(Model(graph).network(graph.name, None, 0, batch), system)
        except InputError as e:
            problems = [f"{graph.name} on {system.name}: {line}" for line in e.problems]
    answer = {**described(graph, placed, system, batch), "reasons": problems}
    if output is not None and not problems:
        write_text(output, json.dumps(answer, indent=1) + "\n")
    if as_json:
        print_json(answer)
    else:
        columns, table = rows(placed, system)
        show_table(f"{graph.name}: {len(graph.nodes)} operators", columns, table)
        for name, text in summary(graph, placed, system, batch):
            say(name, text)
    if problems:
        raise InputError(*problems)
