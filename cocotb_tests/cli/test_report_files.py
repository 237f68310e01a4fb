"""Tables as CSV, JSON, LaTeX and Markdown can be read back."""

import csv
import json
import re

from derca_cli.console import formats
from derca_flow.area.table import Table

AWKWARD = r"50 % of a_b & c^d {#1} ~ \x <y> |z|"
TABLE = Table(f"Title {AWKWARD}", ["module", "LUT", "BRAM", "share %"], [
    ["host, interface", 1234, 0.5, None], [AWKWARD, 0, 19, 12.25], ["total", 1234567, 19.5, 100.0],
], "A caption", total=1)
RESULT = {"tool": "Yosys 0.70, synth_toy", "command": "derca report --target toy_x", "rows": [1, 2.5, None]}


def written(tmp_path, suffix: str, tables=(TABLE,)) -> str:
    file = tmp_path / f"out/table{suffix}"
    formats.write_tables(file, RESULT, tables)
    return file.read_text()


def test_csv_gives_the_cells_back(tmp_path):
    text = written(tmp_path, ".csv", (TABLE, TABLE))
    blocks = text.split("\n\n")
    assert len(blocks) == 2
    for block in blocks:
        remarks = [line for line in block.splitlines() if line.startswith("#")]
        columns, *rows = csv.reader(line for line in block.splitlines() if not line.startswith("#"))
        assert columns == TABLE.columns
        assert [[cell if i == 0 else float(cell) if cell else None for i, cell in enumerate(row)] for row in rows] \
            == TABLE.rows
        assert {f"# Tools: {RESULT['tool']}", f"# Again: {RESULT['command']}"} <= set(remarks)


def test_json_gives_the_result_back(tmp_path):
    assert json.loads(written(tmp_path, ".json")) == RESULT


def test_latex_has_as_many_cells_in_every_row_as_columns_and_no_bare_command_characters(tmp_path):
    text = written(tmp_path, ".tex")
    assert f"% Again: {RESULT['command']}" in text and f"% Tools: {RESULT['tool']}" in text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", body)[1]
    assert columns == "lrrr"
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + len(TABLE.rows)
    for row in rows:
        assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
    for rule in (r"\toprule", r"\bottomrule", r"\end{tabular}", r"\end{table}"):
        assert body.count(rule) == 1
    assert body.count(r"\midrule") == 2  # below the head, and above the total
    bare = re.sub(r"\\[&%$#_{}]|\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}", "",
                  body)
    cells = "".join(re.sub(r"\\\\$", "", line) for line in bare.splitlines() if " & " in line)
    assert not re.search(r"[\\%$#_{}~^<>|]", cells), cells
    assert bare.count("{") == bare.count("}")
    assert "1,234,567" in body and "0.5" in body


def test_markdown_gives_the_cells_back(tmp_path):
    lines = written(tmp_path, ".md").splitlines()
    table = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {len(TABLE.columns)}
    assert [cell.strip() for cell in table[2]] == ["host, interface", "1,234", "0.5", "-"]
    assert f"- Again: {RESULT['command']}" in lines
