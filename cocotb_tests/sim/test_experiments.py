"""The experiments: seeded, resumable, the same in any order and on any engine; the public software repeated."""

import csv
import json

import pytest
from typer.testing import CliRunner

from derca_cli.main import app
from derca_sim.errors import InputError, MissingToolError
from derca_sim.experiments import compat, figures, sweep, tasksets
from derca_sim.experiments.figures import FIGURES
from derca_sim.experiments.series import PAPER_SERIES, PLAIN
from derca_sim.experiments.workloads import WORKLOADS
from derca_sim.timing.vck190 import COSTS

#: A few cells of figure 11a, enough for several batches.
CELLS = [{"workload": "mlp1", "total": u, "index": i} for u in (0.5, 0.9) for i in range(6)]
EVALUATED: list[dict] = []


def count(cell: dict) -> dict:
    """A cell that leaves a trace in this process."""
    EVALUATED.append(cell)
    return {"square": cell["n"] ** 2}


def test_two_processes_give_what_one_gives(tmp_path):
    serial = sweep.run(CELLS, figures.evaluate_pair)
    assert sweep.run(CELLS, figures.evaluate_pair, tmp_path / "cells.jsonl", jobs=2) == serial
    assert sweep.run(list(reversed(CELLS)), figures.evaluate_pair) == list(reversed(serial))
    assert len({json.dumps(r) for r in serial}) > 1


def test_a_sweep_goes_on_where_it_stopped(tmp_path):
    log, cells = tmp_path / "cells.jsonl", [{"n": n} for n in range(10)]
    EVALUATED.clear()
    whole = sweep.run(cells, count, log)
    assert whole == [{"square": n * n} for n in range(10)] and EVALUATED == cells
    # Killed after the sixth, in the middle of a line
    log.write_text("\n".join(log.read_text().split("\n")[:7]) + '\n{"cell": "{')
    EVALUATED.clear()
    assert sweep.run(cells, count, log) == whole
    assert EVALUATED == cells[6:]
    EVALUATED.clear()
    assert sweep.run(cells, count, log) == whole and not EVALUATED


def test_more_cells_and_fewer_keep_those_that_are_finished(tmp_path):
    log, told = tmp_path / "cells.jsonl", []
    sweep.run([{"n": n} for n in range(0, 10, 2)], count, log)
    EVALUATED.clear()
    more = sweep.run([{"n": n} for n in range(10)], count, log, progress=lambda *state: told.append(state))
    assert more == [{"square": n * n} for n in range(10)] and EVALUATED == [{"n": n} for n in range(1, 10, 2)]
    assert (told[0], told[-1]) == ((5, 10), (10, 10))
    EVALUATED.clear()
    assert sweep.run([{"n": 3}], count, log, progress=lambda *state: told.append(state)) == [{"square": 9}]
    assert not EVALUATED and told[-1] == (1, 1)


def another(cell: dict) -> dict:
    """What gives other results for the same cells."""
    return {"square": -cell["n"]}


def test_a_log_of_another_plan_is_refused(tmp_path):
    log = tmp_path / "cells.jsonl"
    sweep.run([{"n": 1}], count, log)
    for evaluate, identity in ((another, ""), (count, "another version")):
        with pytest.raises(InputError, match="another experiment"):
            sweep.run([{"n": 1}], evaluate, log, identity=identity)
    log.write_text("not JSON\n")
    with pytest.raises(InputError, match="another experiment"):
        sweep.run([{"n": 1}], count, log)


def test_bad_engines_are_named():
    for arguments, message in (({"engine": "cloud"}, "allowed are local, dask"), ({"jobs": 0}, "jobs = 0"),
                               ({"engine": "dask"}, "scheduler is missing")):
        with pytest.raises(InputError, match=message):
            sweep.run([{"n": 1}], count, **arguments)


def test_dask_cluster_gives_the_same():
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    serial = sweep.run(CELLS[:6], figures.evaluate_pair)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        assert sweep.run(CELLS[:6], figures.evaluate_pair, engine="dask", scheduler=local.scheduler_address) == serial


def test_without_dask_the_way_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingToolError, match="pip install"):
        sweep.run([{"n": 1}], count, engine="dask", scheduler="tcp://127.0.0.1:1")


def test_reference_sets_follow_its_rules():
    low, high = (tasksets.reference_set(7, "mlp1", u, 3) for u in (0.5, 0.9))
    assert low.shares[1] == high.shares[1] and low.shares[0] >= low.shares[1] >= tasksets.LEAST_SHARE
    assert sum(high.shares) == pytest.approx(0.9)
    assert low != tasksets.reference_set(7, "mlp1", 0.5, 4) and low == tasksets.reference_set(7, "mlp1", 0.5, 3)
    specs = tasksets.specs(high, PLAIN, tasksets.reference_periods)
    assert specs[1].period % 230_000 == 0 and (specs[0].period - specs[1].period) % 1000 == 0
    assert sum(PLAIN.execution(s.layers) / s.period for s in specs) >= sum(high.shares)


def test_our_sets_never_exceed_their_utilisation():
    for n in (2, 5, 20):
        drawn = tasksets.mixed_set(7, 1.0, 0, n)
        assert len(drawn.workloads) == n and sum(drawn.shares) == pytest.approx(1.0)
        specs = tasksets.specs(drawn, PLAIN)
        assert sum(PLAIN.execution(s.layers) / s.period for s in specs) <= 1.0 + 1e-9


def test_workloads_are_those_of_the_paper():
    layers = {name: len(shapes) for name, shapes in WORKLOADS.items()}
    assert layers == {"mlp1": 2, "mlp2": 2, "wcet": 2, "deit-t": 12 * 10, "bert-tiny": 2 * 8, "bert-mini": 4 * 12,
                      "mlp-mixer": 32, "pointnet": 9}
    assert WORKLOADS["deit-t"][:2] == ((1176, 192, 576), (1176, 64, 196)) and WORKLOADS["deit-t"][9] == (1176, 768, 192)


def test_every_np_and_lw_answer_of_the_public_software_is_repeated():
    agreed = compat.agreement()
    assert agreed.rows == {("mlp1", "np"): 110, ("mlp1", "lw"): 110, ("mlp2", "np"): 66, ("mlp2", "lw"): 66}
    assert agreed.different == ()


def test_the_repeated_mistakes_are_there():
    # Utilisation 13/20 + 13/30 = 1.083 passes: demand at the hyperperiod of 60 is not looked at
    assert compat.analysis([6, 7], [20, 30])
    # Two jobs of 1000 cycles each within 1000: the run ends before either is late
    assert compat.simulation([1000], [1000, 1000], 1000)


def test_each_series_dominates_where_it_must():
    results = sweep.run(CELLS, figures.evaluate_pair)
    for passed in (r["passed"] for r in results):
        assert passed["joint"] >= max(passed[n] for n in PAPER_SERIES)
        assert passed["ceiling"] >= max(passed[n] for n in (*PAPER_SERIES, "joint", "improved"))
        assert passed["improved"] >= passed["joint"]


def test_costs_of_figure_13():
    cell = {"total": 0.8, "index": 0, "tasks": 2}
    ratios = figures.evaluate_wcet(cell)["ratios"]
    # One region, and one per layer: no more than the scheduler's time, which the length holds already
    assert ratios["np"] == ratios["lw"] == 1.0
    # Tiles of 4 steps: redone after 1 .. 4 of them, beside three computes and a store of a tile
    redone = 4 * COSTS["paper"].load + 10 * COSTS["paper"].compute
    tile = 3 * COSTS["paper"].compute + COSTS["paper"].store
    assert ratios["ir"] == pytest.approx(1 + redone / tile, rel=0.02)
    assert ratios["ip"] > ratios["ir"]
    assert 1.0 <= ratios["improved"] <= ratios["joint"] < ratios["ir"]


def test_published_and_recorded_values_are_joined():
    cells = [{"workload": "mlp1", "total": 0.85, "index": i} for i in range(2)]
    rows = figures.success_rows("fig11a", cells, [figures.evaluate_pair(c) for c in cells])
    row = {r["series"]: r for r in rows}["if-ppp"]
    assert row["published_percent"] == 90 and row["public_software_percent"] is not None and row["sets"] == 2


def test_hardware_rows_keep_both_sides():
    rows = figures.hardware_rows([{"module": "scheduler", "LUT": 5, "REG": 6, "BRAM": 0, "DSP": 0},
                                  {"module": "other", "LUT": 1, "REG": 1, "BRAM": 0, "DSP": 0},
                                  {"module": "total", "LUT": 6, "REG": 7, "BRAM": 0, "DSP": 0}])
    by = {r["module"]: r for r in rows}
    assert by["scheduler"]["LUT"] == 5 and by["scheduler"]["published_LUT"] == 9177
    assert by["other"]["published_LUT"] is None and by["job release"]["LUT"] is None
    assert rows[-1]["module"] == "total" and by["total"]["published_REG"] == 201373


def test_command_writes_table_picture_and_words(tmp_path, monkeypatch):
    small = FIGURES["fig11a"].__class__("fig11a", "MLP1, pairs of tasks",
                                        lambda size: [c | {"index": 0} for c in CELLS[::6]], figures.evaluate_pair)
    monkeypatch.setitem(FIGURES, "fig11a", small)
    result = CliRunner().invoke(app, ["reproduce", "fig11a", "--jobs", "1", "-o", str(tmp_path / "f"), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    with (tmp_path / "f" / "fig11a.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == len(answer["rows"]) and set(answer["rows"][0]) == set(rows[0])
    assert "## Why they differ" in (tmp_path / "f" / "report.md").read_text()
    assert (tmp_path / "f" / "fig11a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("arguments", "text"), [
    (["fig12"], "fig12"), (["fig11a", "--jobs", "0"], "jobs"),
    (["fig11a", "--scheduler", "tcp://127.0.0.1:1"], "--engine dask"),
])
def test_command_refuses_bad_input(arguments, text, tmp_path):
    result = CliRunner().invoke(app, ["reproduce", *arguments, "-o", str(tmp_path / "f")])
    assert result.exit_code == 2 and text in result.output
    assert not (tmp_path / "f").exists()
