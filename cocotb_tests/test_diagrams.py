"""The diagrams in `docs/` show the code as it is: drawn anew, they are the same files."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from diagrams import blocks, packages
from diagrams.write import DIAGRAMS
from kit.checkout import ROOT
from kit.modules import package_imports


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_diagram_is_up_to_date(name):
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == DIAGRAMS[name](), "draw it anew: ./scripts/diagrams"
    ElementTree.fromstring(committed)


def test_a_missing_connection_of_blocks_changes_the_diagram():
    top, *others = blocks.levels()
    drawn = blocks.draw([top, *others])
    for connection in sorted(top.connections):
        assert blocks.draw([replace(top, connections=top.connections - {connection}), *others]) != drawn, connection


def test_the_blocks_show_the_way_of_a_job():
    found = {level.name: level.connections for level in blocks.levels()}
    assert {("job_release", "release", "scheduler"), ("scheduler", "instruction", "kernel_manager"),
            ("kernel_manager", "grant", "accelerator"), ("memory_interface", "read_beat", "accelerator")
            } <= found["derca"]
    assert found["accelerator"]


def test_a_missing_arrow_of_packages_changes_the_diagram():
    edges = package_imports()
    drawn = packages.draw(edges)
    arrows = packages.reduced(packages.below_layers(edges))
    for node, ends in arrows.items():
        for end in ends:
            assert packages.draw({**edges, node: edges[node] - {end}}) != drawn, (node, end)


def test_arrows_that_follow_from_others_are_left_out():
    assert packages.reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}
