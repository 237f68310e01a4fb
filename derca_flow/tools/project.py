"""A first project in a folder of its own: a sample task set with everything that it names, and what to do with it."""

import re
import shutil
from pathlib import Path

from derca_sim.errors import InputError
from derca_sim.model.network_files import test_set

from .checkout import sample, samples

#: A file that a task set names: key, and path beside the folder of task sets.
_NAMED = re.compile(r'"\.\./(platforms|networks|tasksets)/([^"]+)"')
#: Commands that the README of a project shows, for sets of networks and for those of execution times.
_COMMANDS = {
    True: ("derca analyze taskset.toml     # are all deadlines met, whatever the arrivals?",
           "derca compare taskset.toml     # every strategy of preemption",
           "derca run taskset.toml         # the RTL, compared with the golden model",
           "derca generate taskset.toml -o hardware",
           "derca report --target ecp5 --platform platform.toml"),
    False: ("derca analyze taskset.toml     # are all deadlines met, whatever the arrivals?",
            "derca compare taskset.toml     # every strategy of preemption",
            "derca simulate taskset.toml    # a schedule, and its timeline"),
}


#: Kinds of samples that examples name, as they lie in a checkout's folder `sim`; and the sample that stands for all.
KINDS, ALL = ("tasksets", "platforms", "networks", "sweeps", "boards"), "all"


def write_samples(folder: Path) -> list[str]:
    """Write all samples into an empty folder, a folder for each of `KINDS`, so that they find each other.

    Returns the names of the folders.
    """
    for kind in KINDS:
        (folder / kind).mkdir()
        for source in samples(kind):
            shutil.copyfile(source, folder / kind / source.name)
    return list(KINDS)


def sample_sets() -> list[str]:
    """Names of the sample task sets."""
    return [path.stem for path in samples("tasksets")]


def write_project(folder: Path, name: str, title: str) -> list[str]:
    """Write the sample task set `name` into an empty folder: taskset.toml, platform.toml, networks, README.md.

    Returns the names of the files.

    Raises
    ------
    InputError
        If there is no such sample.
    """
    found = {path.stem: path for path in samples("tasksets")}
    if name not in found:
        raise InputError(f"--sample = {name}: allowed are {', '.join(found)}, and {ALL}")
    text = found[name].read_text(encoding="utf-8")
    for kind, file in dict.fromkeys(_NAMED.findall(text)):
        own = "platform.toml" if kind == "platforms" else file
        source = sample(kind, file)
        shutil.copyfile(source, folder / own)
        if source.suffix == ".npz" and (images := test_set(source)) is not None:
            shutil.copyfile(images, folder / images.name)
        text = text.replace(f'"../{kind}/{file}"', f'"{own}"')
    (folder / "taskset.toml").write_text(text, encoding="utf-8")
    commands = "\n".join(_COMMANDS["[[network]]" in text])
    (folder / "README.md").write_text(
        f"# {title}\n\nBegun by `derca init` from the sample `{name}`. Every file here is yours to change.\n\n"
        f"```\n{commands}\n```\n", encoding="utf-8")
    return sorted(path.name for path in folder.iterdir())
