"""README and docs: their commands exist with these options, their Python has no undefined name, exact figures hold."""

import builtins
import re
import shlex
import symtable
from pathlib import Path

import pytest
import typer

from campaigns.random_sets import random_platform, rough_cycles
from derca_cli import main
from derca_cli.commands.reproduce import TABLE2_PLATFORM
from derca_cli.console.folders import default_folder
from derca_cli.console.run_output import met
from derca_flow.sessions.system import task_infos
from derca_flow.tools.progress import TimeLeft
from derca_sim.compile import compile_taskset
from derca_sim.events import Kind
from derca_sim.experiments import figures, plots, report
from derca_sim.experiments.series import ALL_SERIES
from derca_sim.golden import machine
from derca_sim.model.network import random_network
from derca_sim.planning import analyse_taskset
from derca_sim.report.metrics import measure
from derca_sim.workload.taskset import Task, TaskSet, load_platform, load_taskset
from kit.checkout import ROOT
from kit.documents import DOCUMENTS, blocks, spans
from kit.pipelines import LARGE_LAYERS, PIPELINES, scaled_layers
from manual.commands import leaves

DEMO = ROOT / "sim" / "tasksets" / "demo.toml"


LEAVES = dict(leaves())


def documented():
    """Every command line that begins with `derca`, in a code span or block."""
    for document in DOCUMENTS:
        lines = [line for block in blocks(document) if block.language != "text" for line in block.text.splitlines()]
        for line in (*lines, *spans(document)):
            found = re.match(r"(?:\$ )?(?:\.venv/bin/)?derca ([^#|]+)", line.strip())
            if found:
                yield pytest.param(found[1].strip(), id=f"{document.name}: {found[1].strip()}")


@pytest.mark.parametrize("line", [*documented()])
def test_a_documented_command_has_these_options(line):
    words = shlex.split(line)
    path = max((p for p in LEAVES if tuple(words[: len(p)]) == p), key=len, default=None)
    if path is None:  # the name of a group, or of all commands
        others = ("COMMAND", "bench", "--version")
        assert any(p[: len(words)] == tuple(words) for p in LEAVES) or words[0] in others, line
        return
    known = {word for p in LEAVES[path].params for word in (*p.opts, *p.secondary_opts)} | {"--help"}
    assert {word for word in words[len(path):] if word.startswith("-") and word != "-"} <= known, line


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_prints_json_and_writes_where_it_is_told(path):
    options = {word for parameter in LEAVES[path].params for word in parameter.opts}
    named = {"name"} if path == ("init",) else {"-o", "--output"}  # its argument is the folder
    assert {"--json", *named} <= options


def test_help_lists_every_command_by_its_name():
    root = typer.main.get_command(main.app)
    ctx = root.context_class(root)
    assert [root.get_command(ctx, name).name for name in root.list_commands(ctx)] == list(main.COMMANDS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_the_python_of_a_document_has_no_undefined_name(document):
    indented = re.findall(r"(?:^    .*\n|^\n)+", document.read_text(), re.M)
    for code in (*("\n".join(line[4:] for line in block.splitlines()) for block in indented),
                 *(block.text for block in blocks(document) if block.language == "python")):
        if "import " not in code:
            continue
        table = symtable.symtable(code, document.name, "exec")
        known = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        used = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
        assert used <= known | set(dir(builtins)), document


#: Where a path in a document may begin.
ROOTS = ("", "sim/derca_sim", "cocotb_tests", "derca_hw", "derca_hw/accelerator")


def test_files_that_the_guide_names_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = {word.removeprefix("./") for word in re.findall(r"[\w./-]+/[\w./-]+[\w]", text)}
    paths = {word for word in named
             if "NAME" not in word and re.search(r"\.(py|md|toml|svg|h)$|^(scripts|docs)/", word)}
    absent = [word for word in paths if not any((ROOT / top / word).exists() for top in ROOTS)]
    assert len(paths) > 60 and absent == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_links_between_documents_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


# -- figures of the chapter of results

def row(words: str) -> list[str]:
    """The cells of the row of docs/results.md that begins with `words`."""
    lines = (ROOT / "docs" / "results.md").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {words}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_misses_of_the_demo_are_those_of_the_manual():
    tasks, found = load_taskset(DEMO), []
    # What is not proved runs with every point of its strategy
    tables = [*(compile_taskset(tasks, strategy) for strategy in ("np", "lw")), analyse_taskset(tasks).compiled()]
    for compiled in tables:
        events = machine.run(compiled, tasks.horizon)
        found.append(measure(events, task_infos(compiled), tasks.horizon, 64).deadline_misses)
    assert row("demo: deadlines missed")[1] == " / ".join(map(str, found))


def test_the_gain_of_the_decoupled_pipeline_is_that_of_the_manual():
    """On the golden machine, whose cycles are those of the RTL."""
    tile = random_platform("demo", "decoupled").tile
    layers = scaled_layers((tile.m, tile.k, tile.n))
    cycles = []
    for pipeline in PIPELINES:
        p = random_platform("demo", pipeline, "scan", "parallel")
        for i, layer in enumerate(layers):
            network = random_network(f"n{i}", [(*layer, False)], i, p.array.dtype)
            gap = 4 * rough_cycles(p, network) + 2000
            tasks = TaskSet("alone", Path("alone.toml"), p, gap, (Task("t", 0, network, gap, gap, 0, True, (0,)),))
            events = machine.run(compile_taskset(tasks, "np"), gap)
            cycles.append(next(e.cycle for e in events if e.kind == Kind.FINISH))
    n = len(LARGE_LAYERS)
    ratios = [cycles[i] / cycles[n + i] for i in range(n)]
    assert row("decoupled pipeline")[1] == f"{min(ratios):.2f}x to {max(ratios):.2f}x faster"


@pytest.mark.parametrize("sets", [8, pytest.param(40, marks=pytest.mark.full)])
def test_the_proved_share_of_mlp1_is_that_of_the_manual(sets):
    cells = [{"workload": "mlp1", "total": 0.95, "index": i} for i in range(sets)]
    rows = {r["series"]: r for r in figures.success_rows("fig11a", cells, [figures.evaluate_pair(c) for c in cells])}
    said = row("pairs of MLP1 tasks")[1]
    assert said.startswith(f"{rows['joint']['success_percent']:.0f} %; {rows['improved']['success_percent']:.0f} %")
    assert f"published: {rows['if-ppp']['published_percent']:.0f} %" in said


# -- what comparisons say of themselves

def test_every_series_says_its_rules_and_what_is_improved():
    rows = [{"tasks": 2, "series": name} for name in ALL_SERIES]
    text = report.conditions("fig11a", rows)
    assert "2 tasks a set" in text and "the paper's strategies" in text and "published rates also count" in text
    for word in ("no time", "background", "read bandwidth", "outputs", "bursts", "reference's hardware"):
        assert word in text


def test_the_resource_table_is_of_as_many_tasks_as_the_published_one():
    tasks = load_platform(ROOT / "sim" / "platforms" / TABLE2_PLATFORM).scheduler.tasks
    assert figures.PUBLISHED_TASKS <= tasks <= figures.PUBLISHED_TASKS + 1


def test_figure_13_draws_the_published_values(tmp_path, monkeypatch):
    drawn, line = {}, plots._line

    def note(ax, rows, key, **style):
        line(ax, rows, key, **style)
        drawn[style.get("label")] = [r[key] for r in rows]

    monkeypatch.setattr(plots, "_line", note)
    cells = [{"total": 0.8, "index": 0, "tasks": 2}]
    rows = figures.wcet_rows(cells, [figures.evaluate_wcet(c) for c in cells])
    plots.plot_wcet(rows, "cost", tmp_path / "f.png")
    for name, value in figures.PUBLISHED_WCET.items():
        most = ", at most" if name in figures.PUBLISHED_MOST else ""
        assert drawn[f"{name}, published{most}"] == [value]
    assert (tmp_path / "f.png").stat().st_size > 1000


def test_the_time_left_follows_the_pace_of_this_run():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    assert left(40, 100) == ""  # kept from a run before
    now[0] = 30.0
    assert left(50, 100) == ", about 2 min left" and left(70, 100) == ", about 30 s left"


# -- runs

@pytest.mark.parametrize(("misses", "finished", "text"), [
    (0, 5, "all met"), (0, 0, "none judged: no job ended"), (2, 0, "2 missed")])
def test_deadlines_are_met_only_where_a_job_ended(misses, finished, text):
    assert met(misses, finished) == text


def test_ways_to_run_have_folders_of_their_own():
    ways = [{}, {"horizon": 300}, {"every": 2}, {"jitter": 0, "seed": 1}, {"jitter": 40, "seed": 1},
            {"jitter": 40, "seed": 2}, {"jitter": 40, "stall": 0.2, "seed": 1}, {"all_points": True}]
    parts = [("demo", s, p, k, r) for s in ("joint", "np") for p in ("decoupled", "lockstep")
             for k in ("heap", "scan") for r in ("parallel", "swept")]
    folders = [default_folder("run", *part, **way) for part in parts for way in ways]
    assert len(set(folders)) == len(folders)
