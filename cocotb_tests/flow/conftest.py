"""Fixtures of the tests of files, caches, tools and packages."""

import functools

import pytest

from derca_flow.package.boards import BOARDS
from derca_hw.ip import TOP
from kit.ip_package import Package
from kit.wrong_inputs import taskset
from oracles.ip.description import netlist


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with a task set, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_bytes(taskset())
    return tmp_path


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """By board, each written once."""
    return functools.cache(lambda board: Package(tmp_path_factory.mktemp(board), board))


@pytest.fixture(params=BOARDS)
def package(request, packages):
    return packages(request.param)


@pytest.fixture(scope="session")
def one(packages):
    return packages("arty-a7-100")


@pytest.fixture(scope="session")
def module(one):
    return netlist(one.hdl, TOP)
