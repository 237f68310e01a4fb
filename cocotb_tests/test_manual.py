"""The manual: chapters made of the code are up to date, every chapter is in its contents, and it builds."""

import re
import subprocess
import sys

import pytest

import derca
from derca_sim.model.sections import Section
from kit.checkout import ROOT
from manual.commands import described, leaves
from manual.files import FILES, models_in, toml_reference
from manual.signatures import signatures
from manual.write import CHAPTERS

DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_made_of_the_code_is_up_to_date(name):
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == CHAPTERS[name](), "write it anew: ./scripts/manual"


def test_the_chapter_on_python_shows_how_everything_is_called():
    rows = signatures().splitlines()
    calls = {re.match(r"\| `(\w+)", row)[1] for row in rows if row.startswith("| `")}
    errors = {"InputError", "CheckFailed", "MissingToolError"}
    assert calls == set(derca.__all__) - {"TaskSet"} - errors
    assert ("| `simulate(tasks, strategy='joint', *, placed=True, horizon=None, policy=None)` | `Schedule` | "
            "Simulate a schedule with the preemption points of `analyze` |") in rows
    assert {row.count("|") for row in rows} == {4}  # no bar of a type among those of the table


def test_every_command_has_a_chapter_and_all_its_options():
    text = (DOCS / "commands.md").read_text()
    for path, command in leaves():
        section = text.split(f"## derca {' '.join(path)}\n")[1].split("\n## ")[0]
        options = {word for p in command.params for word in (*p.opts, *p.secondary_opts) if word.startswith("-")}
        assert options <= set(re.findall(r"-[\w-]+", section)), path


def test_help_becomes_markdown():
    assert described("One.\n\n[bold]Examples[/bold]\n\n    derca a\n\n    derca b\n\n\b\n0  done\n1  not\n") == (
        "One.\n\n**Examples**\n\n```console\nderca a\nderca b\n```\n\n```text\n0  done\n1  not\n```\n")


def test_every_key_of_every_file_says_what_it_means():
    models = [model for *_, model in FILES]
    for model in models:
        models += [inner for field in model.model_fields.values() for inner in models_in(field.annotation)
                   if inner not in models]
    assert len(models) > 20
    silent = [f"{model.__name__}.{key}" for model in models for key, field in model.model_fields.items()
              if not field.description]
    assert silent == [], "write a docstring below the key"


def test_a_key_without_a_meaning_is_refused(monkeypatch):
    class Silent(Section):
        """Nothing."""

        key: int = 1

    monkeypatch.setattr("manual.files.FILES", (("Silent", "none.toml", Silent),))
    with pytest.raises(ValueError, match="key of Silent has no docstring"):
        toml_reference()


def test_every_chapter_is_in_the_contents():
    index = (DOCS / "index.md").read_text()
    listed = [line for block in re.findall(r"```\{toctree\}\n(.*?)```", index, re.S)
              for line in block.splitlines() if line and not line.startswith(":")]
    assert len(set(listed)) == len(listed)
    chapters = {file.stem for file in DOCS.glob("*.md")} - {"index"}
    assert set(listed) == chapters | {"../README", "../CONTRIBUTING", "../CHANGELOG"}


def test_the_readme_is_one_screen():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 65 and max(map(len, lines)) <= 120


def test_the_manual_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-c", DOCS, "-d", tmp_path / "trees", "-W", "--keep-going",
               "-q", ROOT, tmp_path / "html"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in ("index.html", "docs/index.html", "docs/toml.html", "docs/api.html"):
        assert (tmp_path / "html" / page).stat().st_size > 100
    assert "derca.analyze" in (tmp_path / "html" / "docs" / "api.html").read_text()
