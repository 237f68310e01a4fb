"""`derca init`: a folder with a first task set, its platform and its networks."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from derca_flow.tools.files import output_directory
from derca_sim.errors import InputError

from ..console.output import JsonOption, print_json, say, say_result


def init(
    name: Annotated[Path, typer.Argument(help="Folder that is made; it must not exist, or be empty.")],
    sample: Annotated[str, typer.Option(help="Sample task set to begin with.")] = "demo",
    as_json: JsonOption = False,
):
    """Begin a project: a folder with a sample task set, the platform and the networks that it names, and a README.

    The samples: demo (three classifiers of digits), anomaly and tinyml (trained TensorFlow Lite networks), wcets
    (execution times alone, without networks), and others; a wrong name lists all. With --sample all, the folder gets
    every sample file, in folders of task sets, platforms, networks, sweeps and boards. Where there is no checkout, a
    folder sim made so lets the examples of all commands run as they stand.

    [bold]Examples[/bold]

        derca init drone

        derca init figures --sample wcets

        derca init sim --sample all
    """
    from derca_flow.tools.project import ALL, write_project, write_samples

    if name.exists() and (not name.is_dir() or any(name.iterdir())):
        raise InputError(f"name = {name}: exists; allowed are new or empty folders")
    with output_directory(name) as folder:
        files = write_samples(folder) if sample == ALL else write_project(folder, sample, name.resolve().name)
    if as_json:
        print_json({"folder": str(name), "sample": sample, "files": files})
        return
    say_result(f"{name} holds {', '.join(files)}")
    say("next", f"derca analyze {shlex.quote(str(name / 'tasksets' / 'demo.toml'))}" if sample == ALL else
        f"cd {shlex.quote(str(name))} && derca analyze taskset.toml")
