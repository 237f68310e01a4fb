"""What commands print, at 80, 100 and 140 columns, beside the files in `golden/`.

Every wrong input has its answer there, and the demo has its tables. After a change that is meant:

    PYTHONPATH=.:sim:cocotb_tests .venv/bin/python cocotb_tests/cli/test_golden.py

writes them anew; `git diff` then shows what became of every answer.
"""

import contextlib
import os
import re
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from derca_cli import main
from kit.checkout import ROOT
from kit.wrong_inputs import answer, write_files

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (80, 100, 140)
#: The demo's commands, by the name of their file.
DEMO = {
    "analyze": ["analyze", "demo.toml"],
    "simulate": ["simulate", "demo.toml"],
    "run": ["run", "demo.toml"],
    "run-np": ["run", "demo.toml", "--strategy", "np"],
}
#: What depends on the machine, or on the versions of libraries.
VARIABLE = (
    (re.compile(r"[\d,]+ cycles per second"), "N cycles per second"),
    (re.compile(r"not a well-formed \.npz file \((?!by its name).*\): networks"),
     "not a well-formed .npz file (...): networks"),
    (re.compile(r"larger than memory allows \(.*\): allowed"), "larger than memory allows (...): allowed"),
    (re.compile(r"^[^:\n]*: \d+ s\n", re.MULTILINE), ""),
    (re.compile(r"^.* \.\.\. .*\n", re.MULTILINE), ""),
)
AGAIN = "if that is meant: PYTHONPATH=.:sim:cocotb_tests .venv/bin/python cocotb_tests/cli/test_golden.py"


def derca(arguments: list[str], width: int):
    """Run a command line in this process, in the current folder."""
    return CliRunner().invoke(main.app, arguments, env={"COLUMNS": str(width)})


def settled(text: str) -> str:
    """Text without what depends on the machine."""
    for pattern, instead in VARIABLE:
        text = pattern.sub(instead, text)
    return text


@cache
def wrong_answers(width: int) -> dict[str, str]:
    """Case -> what is answered."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        cases = write_files(Path(name))
        found = {case: settled(answer(lambda given: derca(given, width), given)) for case, given in cases.items()}
        assert (Path(name) / "letter.txt").read_text(encoding="utf-8").startswith("Dear reader")
        assert not (Path(name) / "out").exists()
    return found


def once(function):
    """A function that is called once; later calls get the same result."""
    results = []

    def called(*args, **kwargs):
        if not results:
            results.append(function(*args, **kwargs))
        return results[0]

    return called


@contextlib.contextmanager
def demo_folder():
    """A folder with the demo's task set, where what takes time is done once for all widths; pictures are not drawn."""
    from derca_cli.commands import run, simulate
    from derca_cli.console import run_output
    from derca_flow.sessions import system
    from derca_sim import planning
    from derca_sim.golden import machine

    slow = [(planning, "analyse_taskset"), (system, "run_rtl"), (system, "check_results"),
            (system, "compare_with_model"), (machine, "run")]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        text = (ROOT / "sim" / "tasksets" / "demo.toml").read_text()
        Path("demo.toml").write_text(text.replace('"../', f'"{ROOT / "sim"}/'))
        for module, function in slow:
            patch.setattr(module, function, once(getattr(module, function)))
        for module in (run, simulate, run_output):
            patch.setattr(module, "write_files", lambda *_: None)
        yield


@cache
def demo_answers(name: str) -> dict[int, str]:
    """Width -> what a command prints about the demo."""
    with demo_folder():
        return {width: settled(answer(lambda given: derca(given, width), DEMO[name])) for width in WIDTHS}  # noqa: B023


def wrong_file(width: int) -> Path:
    return GOLDEN / f"wrong-{width}.txt"


def demo_file(name: str, width: int) -> Path:
    return GOLDEN / f"demo-{name}-{width}.txt"


def joined(answers: dict[str, str]) -> str:
    return "\n".join(f"## {case}\n{text}" for case, text in answers.items())


def parted(text: str) -> dict[str, str]:
    """What `joined` has joined."""
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:]
    return {case: content.rstrip("\n") + "\n" for case, content in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("width", WIDTHS)
def test_wrong_inputs_get_their_answers(width):
    expected = parted(wrong_file(width).read_text(encoding="utf-8"))
    found = wrong_answers(width)
    assert len(found) >= 80 and list(found) == list(expected), AGAIN
    different = [f"## {case}\n{found[case]}instead of\n{expected[case]}" for case in found
                 if found[case] != expected[case]]
    assert not different, "\n".join([*different, AGAIN])


def test_wrong_inputs_end_with_exit_code_2_and_a_line_per_problem():
    for case, text in wrong_answers(80).items():
        _, code, *lines = text.splitlines()
        assert code == "exit 2", (case, text)
        assert lines and all(re.match(r"(bad input|environment): \S", line) for line in lines), (case, text)
        assert len(lines) <= 2, (case, text)
        for word in ("Traceback", "Value error", "Input should", "None", "PosixPath"):
            assert word not in text, (case, text)


@pytest.mark.parametrize("name", DEMO)
def test_the_demo_prints_its_tables(name):
    for width, found in demo_answers(name).items():
        expected = demo_file(name, width).read_text(encoding="utf-8")
        assert found == expected, f"{demo_file(name, width)}; {AGAIN}"


@pytest.mark.parametrize("name", DEMO)
def test_no_figure_of_the_demo_is_cut_at_any_width(name):
    """Every figure of the widest table is in the others, whole; only sentences and paths are wider than asked for."""
    widest = figures(demo_answers(name)[max(WIDTHS)])
    for width, text in demo_answers(name).items():
        assert "…" not in text
        assert figures(text) == widest, width
        for line in text.splitlines():
            assert len(line) <= width or re.match(r"(verdict|bound|proof|assuming|beyond|tables|failed|files)\b", line)


def figures(text: str) -> list[str]:
    """All figures of a text, sorted; those of bars and rules are none."""
    return sorted(re.findall(r"\d[\d,./]*", text))


def write_golden() -> None:
    """Write every file anew."""
    GOLDEN.mkdir(exist_ok=True)
    for width in WIDTHS:
        wrong_file(width).write_text(joined(wrong_answers(width)), encoding="utf-8")
        for name in DEMO:
            demo_file(name, width).write_text(demo_answers(name)[width], encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("DERCA_SIMULATION_O", "1")
    write_golden()
    sys.exit(os.system(f"git -C '{ROOT}' status --short '{GOLDEN}'"))
