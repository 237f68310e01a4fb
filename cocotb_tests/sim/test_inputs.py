"""Bad input: every class of error is refused, in one line that names file, key, value and what is allowed."""

from pathlib import Path

import pytest

from derca_sim.compile import compile_taskset
from derca_sim.errors import InputError
from derca_sim.workload.taskset import load_platform, load_taskset
from manual.files import toml_reference

GOOD = """
name = "t"
platform = "p.toml"
horizon = 5000
[[network]]
name = "a"
seed = 1
layers = [{ m = 4, k = 5, n = 6 }, { m = 4, k = 6, n = 3, relu = true }]
[[task]]
name = "one"
network = "a"
period = 1000
deadline = 900
[[task]]
name = "two"
network = "a"
period = 2000
offset = 10
"""
PLATFORM = """
name = "p"
[array]
rows = 8
cols = 8
[scheduler]
tasks = 2
time_width = 16
"""
PERIOD_2 = 'network = "a"\nperiod = 2000'


def write(tmp_path: Path, taskset: str = GOOD, platform: str = PLATFORM) -> Path:
    (tmp_path / "p.toml").write_text(platform)
    (tmp_path / "t.toml").write_text(taskset)
    return tmp_path / "t.toml"


def problems_of(path: Path, load=load_taskset) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(path)
    assert all("\n" not in line for line in caught.value.problems)
    print(*caught.value.problems, sep="\n")
    return caught.value.problems


def test_good_file(tmp_path):
    taskset = load_taskset(write(tmp_path))
    assert [t.name for t in taskset.tasks] == ["one", "two"] and [t.index for t in taskset.tasks] == [0, 1]
    one, two = taskset.tasks
    assert (one.deadline, two.deadline, two.offset) == (900, 2000, 10)
    assert one.network is two.network
    assert [layer.a.matrix for layer in one.network.layers] == [0, 1]
    assert one.inputs[0].shape == (4, 5) and one.inputs[1] is None
    assert taskset.platform.scheduler.tasks == 2 and taskset.horizon == 5000


def test_default_horizon_is_two_hyperperiods_and_the_largest_offset(tmp_path):
    assert load_taskset(write(tmp_path, GOOD.replace("horizon = 5000", ""))).horizon == 4010
    long = GOOD.replace("horizon = 5000", "").replace("1000", "9973").replace("2000", "9967")
    assert load_taskset(write(tmp_path, long)).horizon == 2_000_000
    assert "by default two hyperperiods after the largest offset, at most 2,000,000 in all." in toml_reference()


def test_platform_as_a_table(tmp_path):
    text = GOOD.replace('platform = "p.toml"\n', "") + "[platform]\nname = 'q'\n[platform.scheduler]\ntasks = 4\n"
    assert load_taskset(write(tmp_path, text)).platform.scheduler.tasks == 4


def test_sample_files_load(request):
    sim = request.config.rootpath / "sim"
    demo = load_taskset(sim / "tasksets" / "demo.toml")
    assert len(demo.tasks) >= 3 and all(t.network.labels is not None for t in demo.tasks)
    assert demo.platform == load_platform(sim / "platforms" / "demo.toml")
    assert any(t.sporadic for t in load_taskset(sim / "tasksets" / "shapes.toml").tasks)


#: name: (text to replace in the task set, replacement, texts of one line)
TASKSET_ERRORS = {
    "unknown key": ("deadline = 900", "deadlin = 900", "task[0].deadlin = 900", "unknown key", "did you mean deadline"),
    "unknown top-level key": ("horizon", "horizont", "horizont = 5000", "unknown key", "horizon"),
    "missing key": ('network = "a"\nperiod = 1000', 'network = "a"', "task[0].period is missing", "1 .. 2147483647"),
    "wrong type": ("period = 1000", 'period = "1000"', 'task[0].period = "1000"', "whole numbers 1 .. 2147483647"),
    "float for a whole number": ("period = 1000", "period = 1000.0", "task[0].period = 1000.0", "whole numbers"),
    "number for a truth value": ("relu = true", "relu = 1", "network[0].layers[1].relu = 1", "true or false"),
    "period zero": ("period = 1000", "period = 0", "task[0].period = 0", "1 .. 2147483647"),
    "period too short to announce all tasks": (PERIOD_2, PERIOD_2.replace("2000", "6"), "task[1].period = 6",
                                               "at least 7"),
    "offset beyond the timers": ("offset = 10", "offset = 65536", "task[1].offset = 65536", "0 .. 65535"),
    "negative offset": ("offset = 10", "offset = -1", "task[1].offset = -1", "0 .. 2147483647"),
    "dimension zero": ("k = 5", "k = 0", "network[0].layers[0].k = 0", "1 .. 65535"),
    "dimension too large": ("n = 3", "n = 65536", "network[0].layers[1].n = 65536", "1 .. 65535"),
    "name malformed": ('name = "one"', 'name = "1 x"', 'task[0].name = "1 x"', "at most 41 letters"),
    "no layers": ("layers = [{ m = 4, k = 5, n = 6 }, { m = 4, k = 6, n = 3, relu = true }]", "layers = []",
                  "network[0].layers = []", "at least 1"),
    "task as a single table": (GOOD[GOOD.index("[[task]]"):], "[task]\nname = 'one'", "task = {", "lists of tables"),
    "task name twice": ('name = "two"', 'name = "one"', 'task[1].name = "one"', "no other task"),
    "network name twice": ("horizon = 5000", "[[network]]\nname = 'a'\nlayers = [{ m = 1, k = 1, n = 1 }]",
                           'network[1].name = "a"', "no other network"),
    "unknown network": (PERIOD_2, PERIOD_2.replace('"a"', '"b"'), 'task[1].network = "b"', "networks of the file: a"),
    "deadline beyond the period": ("deadline = 900", "deadline = 1001", "task[0].deadline = 1001", "1 .. 1000"),
    "deadlines beyond the time width": (PERIOD_2, PERIOD_2.replace("2000", "16384"), "task[1].period = 16384",
                                        "period + deadline < 32768"),
    "too many tasks": ("offset = 10", "[[task]]\nname = 'three'\nnetwork = 'a'\nperiod = 5", "number of tasks = 3",
                       "1 .. 2"),
    "triggers of a periodic task": ("offset = 10", "triggers = [5]", "task[1].triggers = [5]", "sporadic = true"),
    "neither file nor layers": ("layers = [{ m = 4, k = 5, n = 6 }, { m = 4, k = 6, n = 3, relu = true }]", "",
                                "network[0] file, layers", "exactly one"),
    "both file and layers": ("seed = 1", "file = 'x.npz'", "network[0] file, layers", "exactly one"),
    "batch without file": ("seed = 1", "batch = 4", "network[0].batch = 4", "remove it"),
    "network file not found": (GOOD[GOOD.index("seed"):GOOD.index("[[task]]")], "file = 'no.npz'\n", "no.npz",
                               "cannot be read"),
    "layer larger than the memory": ("k = 5, n = 6", "k = 65535, n = 65", "network[0].layers[0]", "memory.size"),
    "platform file not found": ('"p.toml"', '"q.toml"', 'platform = "q.toml"', "q.toml: cannot be read"),
    "platform of the wrong type": ('platform = "p.toml"', "platform = 3", "platform = 3", "tables with the keys"),
}


@pytest.mark.parametrize("name", TASKSET_ERRORS)
def test_taskset_error(tmp_path, name):
    old, new, *texts = TASKSET_ERRORS[name]
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    lines = problems_of(path)
    assert any(line.startswith(f"{path}: ") and all(text in line for text in texts) for line in lines)


#: name: (platform text, texts of one line)
PLATFORM_ERRORS = {
    "unknown key": ("[array]\nrow = 8", "array.row = 8", "unknown key", "did you mean rows"),
    "unknown table": ("[arrays]\nrows = 8", "arrays = { rows = 8 }", "unknown key", "did you mean array"),
    "out of range": ("[array]\nrows = 64", "array.rows = 64", "2 .. 32"),
    "not one of the choices": ("[bus]\ndata_width = 48", "bus.data_width = 48", "one of 32, 64, 128, 256"),
    "clock zero": ("clock_mhz = 0.0", "clock_mhz = 0.0", "above 0 .. 2000"),
    "tile no multiple of the array": ("[tile]\nm = 12", "tile.m = 12", "multiples of array.rows = 8"),
    "memory beyond the addresses": ("[bus]\naddress_width = 16", "memory.size = 4194304", "2^16"),
    "trace too shallow for the tasks": ("[scheduler]\ntasks = 64\n[trace]\ndepth = 8", "trace.depth = 8", "at least"),
    "more tasks than are compared at once": (
        '[scheduler]\nkind = "tournament"\ntasks = 65\n[release]\nkind = "swept"', "scheduler.tasks = 65",
        'at most 64 with scheduler.kind = "tournament"; scan and heap take more'),
    "a trace nobody takes": ("[release]\nsporadic = false\ntrace = 8", "release.trace = 8", "triggers"),
    "tile slice no whole beat": ("[bus]\ndata_width = 128\n[tile]\nk = 33", "tile.k = 33", "16-byte beats"),
}


@pytest.mark.parametrize("name", PLATFORM_ERRORS)
def test_platform_error(tmp_path, name):
    """In a file of its own, named by a task set, and as a table of the task set."""
    text, *texts = PLATFORM_ERRORS[name]
    path = write(tmp_path, platform=text)
    for load, file in ((load_platform, tmp_path / "p.toml"), (load_taskset, path)):
        lines = problems_of(file, load)
        assert any(line.startswith(f"{tmp_path / 'p.toml'}: ") and all(t in line for t in texts) for line in lines)
    text = text.replace("[", "[platform.")
    inline = GOOD.replace('platform = "p.toml"\n', "") + (text if text[0] == "[" else f"[platform]\n{text}")
    lines = problems_of(write(tmp_path, inline))
    assert any(line.startswith(f"{path}: platform.{texts[0]}") for line in lines)


def test_every_problem_is_reported_at_once(tmp_path):
    text = GOOD.replace("period = 1000", "period = -1").replace("k = 5", "k = 0").replace("offset", "ofset")
    lines = problems_of(write(tmp_path, text, PLATFORM.replace("rows = 8", "rows = 1")))
    assert len(lines) == 4
    for text in ("task[0].period = -1", "layers[0].k = 0", "task[1].ofset = 10", "array.rows = 1"):
        assert sum(text in line for line in lines) == 1


def test_every_cross_check_is_reported_at_once(tmp_path):
    text = GOOD.replace("deadline = 900", "deadline = 1001").replace(PERIOD_2, 'network = "b"\nperiod = 20000')
    lines = problems_of(write(tmp_path, text))
    assert len(lines) == 3


def test_several_platform_cross_checks_are_separate_lines(tmp_path):
    lines = problems_of(write(tmp_path, platform="[tile]\nm = 12\nn = 12\n"), load_taskset)
    assert len(lines) == 2 and all(line.startswith(f"{tmp_path / 'p.toml'}: tile.") for line in lines)


def test_what_lies_with_the_platform_names_it_and_its_file(tmp_path):
    """A platform in a file of its own, one in the task set's file, and what the compiler finds too small."""
    sporadic = GOOD.replace("[[task]]", "[[task]]\nsporadic = true", 1)
    path = write(tmp_path, sporadic, f"{PLATFORM}[release]\nsporadic = false\n")
    told = f"false with release.sporadic = false in platform p ({tmp_path / 'p.toml'}); set it to true there"
    assert any(told in line for line in problems_of(path))
    own = '[platform]\nname = "own"\nrelease = { sporadic = false }\n\n[[network]]'
    path.write_text(sporadic.replace('platform = "p.toml"', "").replace("[[network]]", own, 1))
    assert any(f"in platform own ({path})" in line for line in problems_of(path))
    path = write(tmp_path, platform=f"{PLATFORM}[tables]\nlayers = 2\nentries = 4\n")
    path.write_text(GOOD.replace("layers = [", "layers = [{ m = 8, k = 8, n = 8 }, { m = 8, k = 8, n = 8 }, ", 1))
    with pytest.raises(InputError) as caught:
        compile_taskset(load_taskset(path), "lw")
    assert caught.value.problems[0].startswith(f"{tmp_path / 'p.toml'}: tables.layers = 2: allowed are at least ")
    assert f" for {path}, the layers of all tasks" in caught.value.problems[0]


def test_not_toml(tmp_path):
    (line,) = problems_of(write(tmp_path, "name = \n"))
    assert line.startswith(f"{tmp_path / 't.toml'}: not valid TOML") and "line 1" in line


def test_not_utf8(tmp_path):
    (tmp_path / "t.toml").write_bytes(b'name = "\xff"')
    assert "UTF-8" in problems_of(tmp_path / "t.toml")[0]


def test_no_such_file_and_a_folder(tmp_path):
    assert "no.toml: cannot be read" in problems_of(tmp_path / "no.toml")[0]
    assert "is a folder: allowed is a task set of networks, such as" in problems_of(tmp_path)[0]


@pytest.mark.parametrize(("batch", "first", "ok"), [(450, 0, True), (1, 449, True), (2, 449, False)])
def test_batch_within_the_test_set(tmp_path, request, batch, first, ok):
    file = request.config.rootpath / "sim" / "networks" / "digits_small.npz"
    old = GOOD[GOOD.index("seed"):GOOD.index("[[task]]")]
    path = write(tmp_path, GOOD.replace(old, f'file = "{file}"\nbatch = {batch}\nfirst = {first}\n'))
    if ok:
        assert load_taskset(path).tasks[0].inputs[0].shape == (batch, 64)
    else:
        (line,) = problems_of(path)
        assert "network[0] (a)" in line and "first + batch = 451" in line and "at most 450" in line
