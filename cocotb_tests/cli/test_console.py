"""Streams, terminals and failures of the machine as a command shows them."""

import errno
import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console

from derca_cli.console import output, tables
from derca_flow.rtl.build import BuildError
from derca_flow.tools import surroundings
from derca_sim.errors import InputError, MachineError
from kit.checkout import ROOT
from kit.cli import derca

# -- streams ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("command", "code", "says"), [
    ("{} --help >/dev/full", 2, "stdout: cannot be written"),
    ("{} cache --json >/dev/full", 2, "stdout: cannot be written"),
    ("{} --help >&-", 0, ""),
    ("{} cache <&- >&- 2>&-", 0, ""),
    ("{} cache 2>/dev/full", 0, ""),
    ("{} frobnicate 2>/dev/full", 2, ""),
    ("{} --help | true; exit ${{PIPESTATUS[0]}}", 141, ""),
    ("{} cache --json | true; exit ${{PIPESTATUS[0]}}", 141, ""),
], ids=["help on a full disk", "JSON on a full disk", "no stdout", "no streams", "errors on a full disk",
        "a message on a full disk", "help into a closed pipe", "JSON into a closed pipe"])
def test_streams(tmp_path, command, code, says):
    env = {**os.environ, "DERCA_BUILD_DIR": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'sim'}"}
    done = subprocess.run(["bash", "-c", command.format(f"'{sys.executable}' -m derca_cli")], env=env,
                          stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert done.returncode == code, done.stderr
    assert says in done.stderr and len(done.stderr.splitlines()) == bool(says)


@pytest.mark.parametrize("columns", ["abc", "²", "٣", "0", "-5", "1e3", " 80 ", "99999999999", ""])
def test_an_odd_width_counts_as_none(columns, monkeypatch, tmp_path):
    monkeypatch.setenv("DERCA_BUILD_DIR", str(tmp_path))  # what others keep meanwhile does not show
    usual = derca("cache").stdout
    assert derca("cache", COLUMNS=columns, LINES="x", TERMINAL_WIDTH="y").stdout == usual
    monkeypatch.setenv("COLUMNS", columns)
    assert output.stdout().width == surroundings.DEFAULT_WIDTH


# -- failures ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("error", "code", "line"), [
    (OSError(errno.ENOSPC, "No space left on device", "x/y"), 2, "environment: x/y: No space left on device"),
    (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "environment: x: Permission denied"),
    (MemoryError(), 2, "environment: not enough memory"),
    (BuildError("make failed"), 2, "environment: make failed"),
    (MachineError("no room"), 2, "environment: no room"),
    (InputError("a\x1b[31m\nb"), 2, r"bad input: a\x1b[31m\nb"),
    (BrokenPipeError(), 141, ""),
])
def test_what_the_machine_does_not_give_is_never_exit_code_1(monkeypatch, error, code, line):
    def report():
        raise error

    monkeypatch.setattr("derca_cli.commands.report.report", report)
    result = derca("report")
    assert result.exit_code == code
    assert result.stderr.startswith(line) and len(result.stderr.splitlines()) == bool(line)


# -- tables -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(20))
def test_no_figure_is_ever_cut_or_parted(seed, capsys, monkeypatch):
    rng = np.random.default_rng(seed)
    columns = ["name", *("a long header" if rng.random() < 0.3 else f"h{i}" for i in range(int(rng.integers(1, 12))))]
    rows = [["x" * int(rng.integers(1, 42)),
             *(f"{int(rng.integers(10 ** int(rng.integers(1, 10)))):,}" for _ in columns[1:])] for _ in range(4)]
    for width in (20, 40, 60, 80, 100, 140, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        output.show_table("A table of results", columns, rows, "What its figures are.", total=1)
        text = capsys.readouterr().out
        assert sorted(re.findall(r"[\d,]+(?![\d,]*\w)", re.sub(r"h\d+", "", text))) == sorted(
            cell for row in rows for cell in row[1:]), (seed, width)
        assert all(len(line) <= max(width, 41) for line in text.splitlines()), (seed, width)


def test_words_are_broken_at_spaces_only():
    text = str(tables.render(["step", "result"], [["route", "clk 42.1 of 25 MHz, clk_fast 101.2 of 100 MHz"]], 0, 26))
    assert "clk_fast" in text and max(map(len, text.splitlines())) <= 26
    path = "/home/me/a-very-long/path-that-is-wider/than-the-terminal.toml"
    assert tables.wrapped(f"see {path} there", 30, "  ").splitlines() == ["see", f"  {path}", "  there"]


def test_output_without_unicode_is_drawn_with_ascii(monkeypatch):
    class Ascii:
        encoding = "ascii"

        def isatty(self):
            return False

        def write(self, text):
            text.encode("ascii")

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", Ascii())
    for columns in ("40", "100"):
        monkeypatch.setenv("COLUMNS", columns)
        output.show_table("t", ["a", "b" * 20, "c" * 15], [["x", 1, 2]])


# -- results ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("width", [200, 24, 12], ids=["framed", "without frame", "stacked"])
def test_bad_rows_are_red_on_a_terminal_alone(width, monkeypatch):
    rows = [["good", 1111111, 0], ["late", 2222222, 9]]
    for terminal in (True, False):
        stream = io.StringIO()
        colours = "standard" if terminal else None
        shown = Console(file=stream, force_terminal=terminal, color_system=colours, width=width)
        monkeypatch.setattr(output, "stdout", lambda shown=shown: shown)
        output.show_table("", ["task", "worst", "missed"], rows, bad=[1])
        text = stream.getvalue()
        red = [line for line in text.splitlines() if "\x1b[1;31m" in line]
        assert any("late" in line for line in red) == terminal and not any("good" in line for line in red), text


def test_milliseconds_have_four_digits():
    rng = np.random.default_rng(5)
    for _ in range(500):
        cycles, mhz = int(10 ** rng.uniform(0, 9)), float(rng.choice([1, 12, 33.3, 50, 250]))
        text = output.milliseconds(cycles, mhz)
        assert "e" not in text and abs(float(text.replace(",", "")) * mhz * 1000 - cycles) <= 5.1e-4 * cycles, text
    assert output.milliseconds(None, 50) is None and output.milliseconds(0, 50) == "0"


SAMPLES = ROOT / "sim"
#: Command line -> how its answer begins.
BEGINNINGS = {
    "analyze tasksets/wcets.toml": "schedulable: proved, least slack 18.8 % task control",
    "analyze tasksets/wcets.toml --strategy np": "not schedulable: disproved",
    "compare tasksets/wcets.toml": "wcets: deadlines are proved under ip, if, joint",
    "simulate tasksets/wcets.toml --horizon 20000 -o OUT/a": "all deadlines met; proved",
    "simulate tasksets/wcets.toml --horizon 20000 --strategy np -o OUT/b": r"\d deadlines missed by control; NOT",
    "view tasksets/wcets.toml --horizon 20000 -o OUT/page.html": "1 run on ",
    "convert tasksets/wcets.toml -o OUT/w.xml": "3 tasks of ",
    "init OUT/new": "OUT/new holds ",
    "tables tasksets/digits_tiny.toml -o OUT/tables": "schedulable: proved, least slack 6.0 % task medium; tables in",
    "import networks/anomaly_detection.tflite": "anomaly_detection can run: 10 of 17 operators on the accelerator",
    "cache": "",
}


@pytest.mark.parametrize("line", BEGINNINGS)
def test_an_answer_begins_with_its_result_and_fits(line, tmp_path, monkeypatch):
    monkeypatch.chdir(SAMPLES)
    shorter = os.path.relpath(tmp_path)
    answer = derca(*line.replace("OUT", shorter).split(), COLUMNS="80")
    text = " ".join(answer.stdout.replace(shorter, "OUT").split())
    assert re.match(f"result {BEGINNINGS[line]}", text.replace("(", "").replace(")", "")), answer.output
    path = re.compile(r"\S{50,}")  # which no line can break
    assert [row for row in answer.stdout.splitlines() if len(row) > 80 and not path.search(row)] == []
