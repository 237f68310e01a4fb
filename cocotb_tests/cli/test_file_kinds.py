"""A file of another kind than a command takes: what it is, and who takes it, for every pair of command and kind."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest

import derca
from derca_sim.errors import InputError
from derca_sim.experiments.sweeps import load_sweep
from derca_sim.file_kinds import KINDS, PLATFORM, expect, recognise
from derca_sim.model.platform import Platform
from kit.cli import derca as command
from kit.wrong_inputs import npz

SAMPLES = Path(__file__).parents[2] / "sim"
EVENT = '{"cycle": 1, "kind": "release", "task": 0, "job": 0, "region": 0, "arg": 0}\n'
SIMSO = '<?xml version="1.0"?>\n<simulation duration="9"><tasks/></simulation>\n'


def arrays(**given) -> bytes:
    """An .npz file."""
    out = io.BytesIO()
    np.savez(out, **given)
    return out.getvalue()


#: Kind -> name of the file, or of the file that makes a folder of that kind, and its content.
FILES = {
    "taskset": ("set.toml", (SAMPLES / "tasksets" / "digits_tiny.toml").read_bytes()),
    "times": ("times.toml", (SAMPLES / "tasksets" / "wcets.toml").read_bytes()),
    "platform": ("platform.toml", (SAMPLES / "platforms" / "small.toml").read_bytes()),
    "sweep": ("sweep.toml", (SAMPLES / "sweeps" / "utilisation.toml").read_bytes()),
    "space": ("space.toml", b'"array.rows, array.cols" = [[4, 4], [8, 8]]\n'),
    "board": ("board.toml", b'name = "b"\n[device]\nname = "lfe5u-25f"\n[clock]\nmhz = 25\n'),
    "vivado board": ("vivado.toml", b'name = "b"\n[vivado]\npart = "xczu3eg-sbva484-1-i"\n'),
    "model": ("net.tflite", (SAMPLES / "networks" / "anomaly_detection.tflite").read_bytes()),
    "network": ("net.npz", npz()),
    "samples": ("samples.npz", arrays(images=np.zeros((2, 3)))),
    "run": ("a run/events.jsonl", EVENT.encode()),
    "project": ("project/taskset.toml", b""),
    "folder": ("folder/any.txt", b""),
    "events": ("run/events.jsonl", EVENT.encode()),
    "summary": ("run/summary.json", b'{\n "proof": {},\n "tasks": []}'),
    "cells": ("out/cells.jsonl", b'{"plan": "x"}\n{"cell": "a", "result": {}}\n'),
    "simso": ("simso.xml", SIMSO.encode()),
    "jobs": ("jobs.csv", b"Task ID, Job ID, Arrival min\n1, 1, 0, 0, 1, 2, 10, 10\n"),
    "edges": ("jobs.prec.csv", b"Predecessor TID,Predecessor JID,Successor TID,Successor JID\n1,1,1,2\n"),
    "table": ("load.csv", b"utilisation,strategy\n0.5,np\n"),
    "verilog": ("derca.v", b"module derca;\nendmodule\n"),
    "bitstream": ("icebreaker.bin", b"\xff\x00\x00\xff\x7e\xaa\x99\x7e"),
    "picture": ("timeline.svg", b"<svg/>"),
}
_NETWORKS, _ALL = ("taskset",), ("taskset", "times")
#: Command line, with {} for the file, and the kinds that are right for it.
TAKERS = {
    "analyze {}": _ALL, "simulate {}": _ALL, "compare {}": _ALL, "view {}": (*_ALL, "run"), "run {}": _NETWORKS,
    "tables {} -o new": _NETWORKS, "generate {} -o new": _NETWORKS, "ip {} --board vck190 -o new": _NETWORKS,
    "build {} --board icebreaker": _NETWORKS, "host {} --board icebreaker --sim": _NETWORKS,
    "explore {} --device lfe5u-85f": _NETWORKS, "bench simulation {}": _NETWORKS, "sweep {}": ("sweep",),
    "import {}": ("model",), "convert {} -o new.toml": ("times", "simso", "jobs"),
    "report --target ecp5 --platform {}": ("platform",), "generate --platform {} -o new": ("platform",),
    "ip --board vck190 --platform {} -o new": ("platform",),
    "explore set.toml --device lfe5u-85f --space {}": ("space",), "run set.toml --inputs {}": ("samples",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a file of every kind."""
    root = tmp_path_factory.mktemp("kinds")
    for name, content in FILES.values():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content.replace(b'"../', f'"{SAMPLES}/'.encode()))
    return root


def named(kind: str) -> str:
    """What a command is given."""
    name = FILES[kind][0]
    return str(Path(name).parent) if kind in ("run", "project", "folder") else name


def test_every_kind_has_a_sample():
    assert FILES.keys() == KINDS.keys()
    assert set(Platform.model_fields) - {"name"} == PLATFORM


@pytest.mark.parametrize("kind", FILES)
def test_files_are_known_by_their_content(folder, kind):
    assert recognise(folder / named(kind)) == kind
    if FILES[kind][0].endswith(".toml"):  # whatever they are called
        (folder / "other").write_bytes((folder / FILES[kind][0]).read_bytes())
        assert recognise(folder / "other") == (kind if kind != "project" else None)


@pytest.mark.parametrize("line", TAKERS)
def test_another_kind_is_named_with_the_command_that_takes_it(folder, line, monkeypatch):
    monkeypatch.chdir(folder)
    before = sorted(os.listdir())
    for kind, found in KINDS.items():
        if kind in TAKERS[line]:
            continue
        given = named(kind)
        answer = command(*(given if word == "{}" else word for word in line.split()), COLUMNS="500")
        path, parent = f"'{given}'" if " " in given else given, str(Path(given).parent)
        taken = found.taken.format(path=path, folder=parent)
        assert answer.exit_code == 2, (line, kind, answer.output)
        assert answer.stderr.startswith(f"bad input: {given}: is {found.words}: allowed is "), (line, answer.stderr)
        told = re.sub(r"; sim/\S+ comes with derca: .* into sim/", "", answer.stderr)
        assert told.endswith(f"; {taken}\n") and answer.stdout in ("", _first_line(answer.stdout)), kind
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(("line", "given", "right"), [
    ("ip --board {} -o new", "board.toml", "derca build and host take it: --board board.toml"),
    ("build set.toml --board {}", "vivado.toml", "derca ip takes it: --board vivado.toml"),
    ("ip --board {} -o new", "platform.toml", "is a platform: allowed is a board for Vivado; a task set names it"),
])
def test_boards_of_the_two_kinds_are_told_apart(folder, line, given, right, monkeypatch):
    monkeypatch.chdir(folder)
    answer = command(*line.format(given).split(), COLUMNS="500")
    assert answer.exit_code == 2 and right in answer.stderr, answer.stderr


def _first_line(text: str) -> str:
    return text.partition("\n")[0] + "\n"


@pytest.mark.parametrize("kind", ["taskset", "times", "platform", "sweep", "model"])
def test_what_is_recommended_is_right(folder, kind):
    """`try derca COMMAND FILE`: the command takes a file of that kind."""
    words = KINDS[kind].taken.partition("try derca ")[2].partition(",")[0]
    line = words.replace(" {path}", " {}")
    assert kind in TAKERS[line]


def test_what_is_not_known_is_left_to_its_reader(folder, tmp_path):
    for name, content in {"empty.toml": b"", "words.txt": b"Dear reader", "half.npz": npz()[:700], "a.json": b"[1]",
                          "deep.toml": b"a = " + b"[" * 9000, "cut.json": b'{"cycle": ', "one.csv": b"x\n"}.items():
        (tmp_path / name).write_bytes(content)
        assert recognise(tmp_path / name) is None, name
        expect(tmp_path / name, "sweep")
    assert recognise(tmp_path / "nothing") is None and recognise(Path("a\0b")) is None
    os.mkfifo(tmp_path / "pipe")
    assert recognise(tmp_path / "pipe") is None  # which would wait for a writer


def test_the_library_says_the_same(folder):
    with pytest.raises(InputError, match="sweep.toml: is a sweep: allowed is a task set of networks, such as .* or a"):
        derca.load(folder / "sweep.toml")
    with pytest.raises(InputError, match="times.toml: is a task set of execution times alone.*: allowed is a sweep"):
        load_sweep(folder / "times.toml")
