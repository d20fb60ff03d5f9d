"""Manifests as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from grape.errors import GrapeError
from grape.input_files import read_mapping

BOMB = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8)
)


def read(tmp_path: Path, text: str, name: str = "vine.yaml") -> dict[str, object]:
    path = tmp_path / name
    path.write_text(text)
    return read_mapping(str(path))


def test_yaml_and_json_are_read_alike(tmp_path: Path) -> None:
    assert read(tmp_path, "a: 1\nb: [x, true]\n") == {"a": 1, "b": ["x", True]}
    assert read(tmp_path, '{\t"a": 1, "b": ["x", true]}') == {"a": 1, "b": ["x", True]}


def test_a_version_keeps_its_zero(tmp_path: Path) -> None:
    text = (
        "cluster: {cluster_version: 1.30}\ndatabases: [{engine_version: 16.10, max_capacity: 1.50}]"
    )
    assert read(tmp_path, text) == {
        "cluster": {"cluster_version": "1.30"},
        "databases": [{"engine_version": "16.10", "max_capacity": 1.5}],
    }
    assert read(tmp_path, '{"cluster_version": 1.30}') == {"cluster_version": "1.30"}


def test_a_date_stays_a_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a: 2026-01-02") == {"a": "2026-01-02"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "neither YAML nor JSON in line"),
        ("a: !!python/object:os.system x", "neither YAML nor JSON"),
        ("a: 1\x00", r"it holds the character U\+0000"),
        ("a: \x1b[1m", r"it holds the character U\+001B"),
        ('{"a": "\\u0000"}', r"a holds the character U\+0000"),
        ('"\\e[1m": 1', r"a key holds the character U\+001B"),
        ('{"a": "\\ud800"}', r"a holds the character U\+D800"),
        ("a: {b: .nan}", "b is not a finite number"),
        ("a: [-.inf]", "a is not a finite number"),
        ('{"a": 1e999}', "a is not a finite number"),
        ("a: &x [*x]", "nested too deeply, or refers to itself"),
        ("a: &x {b: *x}", "nested too deeply, or refers to itself"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        (BOMB, "holds more than 100000 values"),
        ("a: " + "9" * 5000, "holds a value that cannot be read"),
        ("a: !!int x", "holds a value that cannot be read"),
        ("a: !!set {b}", "a is a set"),
        ("- a\n- b", "does not hold keys and values"),
        ("", "does not hold keys and values"),
    ],
)
def test_what_is_no_mapping_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GrapeError, match=message) as refused:
        read(tmp_path, text)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(GrapeError, match=r"no-such\.yaml cannot be read: No such file"):
        read_mapping("no-such.yaml")
