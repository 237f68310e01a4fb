"""Fixtures of the tests of files, caches and tools."""

import pytest

from kit.wrong_inputs import taskset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with a task set, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.toml").write_bytes(taskset())
    return tmp_path
