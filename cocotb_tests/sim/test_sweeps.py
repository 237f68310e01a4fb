"""Sweeps that a user describes: what is drawn, what is asked, what is refused."""

import functools
import json
import random
import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from derca_sim.analysis.verdict import analyse
from derca_sim.errors import InputError
from derca_sim.experiments import figures, sweep, sweeps
from derca_sim.experiments.plots import plot_sweep
from derca_sim.experiments.random_sets import RandomTasks, drawn, shares
from derca_sim.experiments.sweeps import _of_networks, _timed, curves, evaluate, labels, load_sweep, rows_of
from kit.cli import derca

SWEEPS = Path(__file__).parents[2] / "sim" / "sweeps"
HEAD = 'name = "s"\nsets = 2\nstrategies = ["np"]\n'
X = "[x]\nparameter = \"utilisation\"\nvalues = [0.5]\n"


def written(folder: Path, text: str) -> Path:
    """A sweep file."""
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


def _two_networks(folder: Path) -> Path:
    """A task set file of two networks."""
    path = folder / "two.toml"
    path.write_text(f'''name = "two"
platform = "{SWEEPS.parent / "platforms" / "small.toml"}"
network = [
    {{ name = "a", layers = [{{ m = 8, k = 16, n = 8 }}] }},
    {{ name = "b", layers = [{{ m = 9, k = 8, n = 8 }}] }},
]
task = [{{ name = "a", network = "a", period = 50_000 }}, {{ name = "b", network = "b", period = 50_000 }}]
''')
    return path


def test_names_of_the_literature_are_those_of_strategies(tmp_path):
    text = HEAD.replace('"np"', '"np", "joint", "limited", "ip-all", "full"').replace("sets = 2", "sets = 12")
    found = load_sweep(written(tmp_path, text + X.replace("0.5", "0.9") + "[tasks]\nnumber = 3\nevery = 2_000\nswap_in "
                                                                        "= 900\n"))
    passed = [evaluate(cell)["passed"]["edf"] for cell in found["cells"]]
    assert all(one["limited"] == one["joint"] and one["full"] == one["ip-all"] for one in passed)
    assert len({(one["limited"], one["full"]) for one in passed}) > 1
    assert {labels(found)[name] for name in ("limited", "full")} == {
        "limited preemption, chosen points", "preemption at every point"}


@pytest.mark.parametrize(("number", "total", "least", "most"), [(1, 0.7, 0, 1), (4, 0.8, 0.05, 0.5), (5, 2.0, 0, 0.6)])
def test_shares_add_up_and_keep_their_bounds(number, total, least, most):
    rng = random.Random(f"{number} {total}")
    for _ in range(200):
        found = shares("uunifast", number, total, least, most, rng)
        assert len(found) == number
        assert abs(sum(found) - total) < 1e-9
        assert all(least <= share <= most for share in found)


def test_every_place_in_the_set_has_the_same_mean_share():
    """UUniFast sorted its shares here; a set in that order would always have its heaviest task first."""
    rng, sums = random.Random(5), [0.0] * 4
    for _ in range(4000):
        sums = [s + share for s, share in zip(sums, shares("uunifast", 4, 0.8, 0, 1, rng), strict=True)]
    assert all(abs(s / 4000 - 0.2) < 0.01 for s in sums), sums


def test_shares_from_the_package_of_fixed_sums():
    pytest.importorskip("convolutionalfixedsum")
    state = random.getstate()
    first, again = (shares("fixed_sum", 4, 0.9, 0.1, 0.3, random.Random(1)) for _ in range(2))
    assert first == again
    assert random.getstate() == state
    assert abs(sum(first) - 0.9) < 1e-6
    assert all(0.0999 <= share <= 0.3001 for share in first)


def test_sets_are_drawn_as_described():
    section = RandomTasks(number=6, utilisation=0.9, periods=(1_000, 100_000), deadlines=(0.2, 0.6), every=50,
                          kind="park", swap_in=7, swap_out=3, jitter=2, release_cost=1, tail=4)
    decades = [0, 0]
    for seed in range(200):
        system = drawn(section, random.Random(seed))
        assert (len(system.tasks), system.release_cost, system.tail) == (6, 1, 4)
        assert 0 <= 0.9 - sum(task.length / task.period for task in system.tasks) < 6 / 1000
        for task in system.tasks:
            assert 1_000 <= task.period <= 100_000
            assert task.length + 0.2 * (task.period - task.length) - 1 <= task.deadline
            assert task.deadline <= task.length + 0.6 * (task.period - task.length) + 1
            assert max(task.blocks) <= 50
            assert {(o.strategy.name, o.swap_in, o.swap_out) for at in task.points for o in at} <= {("PARK", 7, 3)}
            decades[task.period >= 10_000] += 1
    assert abs(decades[0] - decades[1]) < 120  # log-uniform: as many in each decade


@pytest.mark.parametrize("total", [0.3, 1.0])
def test_no_set_exceeds_its_utilisation(total):
    """Short periods, where rounding weighs most; the sum is exact. Shares of `least` keep execution times above 1."""
    section = RandomTasks(number=5, utilisation=total, least=0.02, periods=(50, 5_000))
    for seed in range(300):
        tasks = drawn(section, random.Random(seed)).tasks
        assert sum(Fraction(task.length, task.period) for task in tasks) <= Fraction(total), seed


def test_networks_keep_within_their_utilisation(tmp_path):
    for value in (0.5, 1.0):
        given = {"taskset": str(_two_networks(tmp_path)), "utilisation": value, "least": 0.01}
        for seed in range(50):
            tasks = _of_networks(given, {}, random.Random(seed)).tasks
            assert sum(Fraction(task.length, task.period) for task in tasks) <= Fraction(value), seed


def test_curves_that_coincide_all_show(tmp_path, monkeypatch):
    """Each later curve is thinner, its marks smaller, so that the earlier ones show behind it."""
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    found, kept = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **k: (found.append(self), kept(self, path, **k)))
    rows = [{"utilisation": x, "strategy": strategy, "policy": policy, "sets": 1_200, "proved_percent": 100}
            for x in (0.5, 1) for policy in ("edf", "deadline_monotonic") for strategy in ("np", "ip-all")]
    paths = [tmp_path / f"s.{kind}" for kind in ("svg", "png", "pdf")]
    plot_sweep(rows, "utilisation", "demo", paths, labels({"source": "tasks"}))
    lines = found[0].axes[0].lines
    for behind, before in pairwise(lines):
        assert behind.get_linewidth() > before.get_linewidth() + 0.5
        assert behind.get_markersize() > before.get_markersize() + 1
    assert [line.get_label() for line in lines] == [
        "EDF, non-preemptive (np)", "EDF, limited preemption, persist, every point (ip-all)",
        "DM, non-preemptive (np)", "DM, limited preemption, persist, every point (ip-all)"]
    text = paths[0].read_text()
    assert all(words in text for words in ("demo: 1,200 task sets at each value, EDF and DM",
                                           "total utilisation of a task set", "task sets proved schedulable, %"))
    assert [path.read_bytes()[:5] for path in paths] == [b"<?xml", b"\x89PNG\r", b"%PDF-"]
    again = [path.read_bytes() for path in paths]
    plot_sweep(rows, "utilisation", "demo", paths, labels({"source": "tasks"}))
    assert [path.read_bytes() for path in paths] == again
    legend, canvas = found[-1].legends[0].get_window_extent(), found[-1].bbox
    assert canvas.x0 <= legend.x0 < legend.x1 <= canvas.x1


def test_the_reference_is_asked_as_reproduce_asks_it():
    found = load_sweep(SWEEPS / "reference.toml")
    assert len(found["cells"]) == len(figures.FIGURES["fig11a"].cells("small")) == 440
    for cell in found["cells"][3::97]:
        own = evaluate(cell)
        pair = figures.evaluate_pair({"workload": "mlp1", "total": cell["x"], "index": cell["index"]})
        assert own["real"] == pytest.approx(pair["real"], abs=1e-12)
        assert own["passed"]["edf"] == {name: pair["passed"][name] for name in own["passed"]["edf"]}


def test_rows_count_what_the_analysis_proves(tmp_path):
    path = written(tmp_path, 'name = "s"\nsets = 12\nstrategies = ["np", "ip-all"]\n[x]\nparameter = "every"\n'
                             "values = [100, 100_000]\n[tasks]\nperiods = [1_000, 20_000]\nswap_in = 5\n")
    found = load_sweep(path)
    rows = rows_of(found, sweep.run(found["cells"], evaluate))
    assert [(row["every"], row["strategy"], row["sets"]) for row in rows] == [
        (100, "np", 12), (100, "ip-all", 12), (100_000, "np", 12), (100_000, "ip-all", 12)]
    assert rows[0]["proved_percent"] < rows[1]["proved_percent"]
    assert rows[2]["proved_percent"] == rows[3]["proved_percent"]  # jobs that are never divided
    cell = found["cells"][0]
    again = drawn(RandomTasks(every=100, periods=(1_000, 20_000), swap_in=5), random.Random("42/sweep/100/0"))
    assert evaluate(cell)["passed"]["edf"]["ip-all"] == analyse(again, "ip", False).schedulable


def test_a_larger_sweep_keeps_the_sets_of_a_smaller_one(tmp_path, monkeypatch):
    """More values, and more sets at each: what is finished is not evaluated again, and the rows are those of one go."""
    text = HEAD + X.replace("[0.5]", "[0.5, 0.9]") + "[tasks]\nnumber = 3\n"
    larger = text.replace("sets = 2", "sets = 3").replace("0.9]", "0.7, 0.9]")
    evaluated, real = [], evaluate

    @functools.wraps(real)
    def counted(cell):
        evaluated.append((cell["x"], cell["index"]))
        return real(cell)

    monkeypatch.setattr(sweeps, "evaluate", counted)
    for content, new in ((text, [(0.5, 0), (0.5, 1), (0.9, 0), (0.9, 1)]),
                         (larger, [(0.5, 2), (0.7, 0), (0.7, 1), (0.7, 2), (0.9, 2)]), (larger, [])):
        evaluated.clear()
        done = derca("sweep", written(tmp_path, content), "--jobs", 1, "-o", tmp_path / "out", "--json")
        assert done.exit_code == 0 and evaluated == new, done.output
    once = derca("sweep", tmp_path / "sweep.toml", "-o", tmp_path / "once", "--json")
    assert json.loads(done.stdout)["rows"] == json.loads(once.stdout)["rows"]
    assert {row["sets"] for row in json.loads(done.stdout)["rows"]} == {3}


def test_policies_are_curves_of_their_own_on_the_same_sets(tmp_path):
    path = written(tmp_path, 'name = "s"\nsets = 12\nstrategies = ["np", "ip-all"]\npolicies = ["edf", '
                             '"deadline_monotonic"]\n[x]\nparameter = "utilisation"\nvalues = [0.6, 0.97]\n[tasks]\n'
                             'periods = [100, 2_000]\nevery = 20\n')
    found = load_sweep(path)
    results = sweep.run(found["cells"], evaluate)
    rows = rows_of(found, results)
    assert [(row["utilisation"], row["strategy"], row["policy"]) for row in rows] == [
        (x, strategy, policy) for x in (0.6, 0.97) for policy in ("edf", "deadline_monotonic")
        for strategy in ("np", "ip-all")]
    percent = {(row["utilisation"], row["strategy"], row["policy"]): row["proved_percent"] for row in rows}
    assert percent[0.97, "ip-all", "deadline_monotonic"] < percent[0.97, "ip-all", "edf"]  # EDF is optimal
    for cell, result in zip(found["cells"], results, strict=True):
        system = drawn(RandomTasks(every=20, periods=(100, 2_000), utilisation=cell["x"]),
                       random.Random(f"42/sweep/{cell['x']:g}/{cell['index']}"))
        own = {policy: analyse(replace(system, policy=policy), "ip", False).schedulable for policy in result["passed"]}
        assert own == {policy: bool(passed["ip-all"]) for policy, passed in result["passed"].items()}, cell
    drawn_curves = curves(rows, "utilisation")
    assert list(drawn_curves) == ["np, edf", "ip-all, edf", "np, deadline_monotonic", "ip-all, deadline_monotonic"]
    assert curves([row for row in rows if row["policy"] == "edf"], "utilisation").keys() == {"np", "ip-all"}
    assert load_sweep(path, ["dm", "edf", "deadline_monotonic"])["policies"] == ["deadline_monotonic", "edf"]


def test_networks_are_timed_on_their_platform(tmp_path):
    """A slower memory makes jobs longer, and periods with them, so that the utilisation stays."""
    _two_networks(tmp_path)
    found = load_sweep(written(tmp_path, 'name = "s"\nsets = 3\nstrategies = ["np", "joint"]\n[x]\n'
                               'parameter = "platform.memory.read_latency"\nvalues = [16, 200]\n'
                               '[networks]\ntaskset = "two.toml"\nutilisation = 0.5'))
    for cell in found["cells"]:
        own = evaluate(cell)
        assert set(own["passed"]["edf"]) == {"np", "joint"}
        assert own["real"] == pytest.approx(0.5, abs=0.01)
    (fast, slow), names = ([_timed(cell["networks"]["taskset"], json.dumps(cell["platform"])) for cell in
                            found["cells"][::3]], ["a", "b"])
    assert [task.name for task in fast.tasks] == names
    assert all(quick.length < late.length for quick, late in zip(fast.tasks, slow.tasks, strict=True))


@pytest.mark.parametrize(("text", "words"), [
    (HEAD + 'policies = ["fifo"]\n' + X + "[tasks]", "policies = fifo: allowed are edf, deadline_monotonic"),
    (HEAD + 'policies = ["rm"]\n' + X + "[tasks]", 'policies[0] = "rm": allowed are one of "edf"'),
    (HEAD + 'policies = ["deadline_monotonic"]\n' + X + '[reference]\nworkload = "mlp1"', "allowed are edf alone with"),
    (HEAD + 'unit = "us"\n' + X + '[reference]\nworkload = "mlp1"', 'unit = "us": allowed with [tasks] only'),
    (HEAD + X, "tasks, networks, reference = []: allowed are exactly one"),
    (HEAD + X + "[tasks]\n[reference]\nworkload = \"mlp1\"", "allowed are exactly one"),
    (HEAD.replace("np", "edf") + X + "[tasks]", 'strategies[0] = "edf": allowed are np, lw'),
    (HEAD.replace("np", "np-all") + X + "[tasks]", 'strategies[0] = "np-all": allowed are'),
    (HEAD + X + '[reference]\nworkload = "mlp9"', 'reference.workload = "mlp9": allowed are mlp1'),
    (HEAD + X.replace("utilisation", "load") + "[tasks]", 'x.parameter = "load": allowed are number, utilisation'),
    (HEAD + X.replace("utilisation", "generator") + "[tasks]", 'x.parameter = "generator": allowed are'),
    (HEAD + X.replace("values = [0.5]", "from = 1\nto = 2") + "[tasks]", 'x = ["from", "to"]: allowed are either'),
    (HEAD + X.replace("values = [0.5]", "from = 1\nto = 2\nstep = 1e-9") + "[tasks]", "steps that give 1 .. 1000"),
    (HEAD + X.replace("[0.5]", "[0.5, 3]") + "[tasks]", "x: tasks.utilisation = 3: "),
    (HEAD + X.replace("utilisation", "number") + "[tasks]", "x: tasks.number = 0.5: "),
])
def test_bad_sweeps_are_refused_in_words(tmp_path, text, words):
    with pytest.raises(InputError, match=re.escape(words)):
        load_sweep(written(tmp_path, text))


@pytest.mark.parametrize(("section", "words"), [
    (RandomTasks(number=3, utilisation=1.5, most=0.4), "tasks.utilisation = 1.5: allowed are 0 .. 1.2"),
    (RandomTasks(number=3, utilisation=0.2, least=0.1), "tasks.utilisation = 0.2: allowed are 0.3 .. 3"),
    (RandomTasks(number=30, utilisation=0.9, least=0.029), "allowed are wider bounds, or generator"),
])
def test_shares_that_cannot_be_are_refused(section, words):
    with pytest.raises(InputError, match=re.escape(words)):
        drawn(section, random.Random(1))


def test_unknown_keys_of_a_platform_are_refused(tmp_path):
    text = (SWEEPS / "latency.toml").read_text().replace("../tasksets", str(SWEEPS.parent / "tasksets"))
    found = load_sweep(written(tmp_path, text.replace("read_latency", "latency")))
    with pytest.raises(InputError, match=r"x.parameter = platform.memory.latency: allowed are keys of a platform"):
        evaluate(found["cells"][0])
