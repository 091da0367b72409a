"""Requirements of a node: paths, versions and the model."""

import dataclasses

import pytest

from x3d.execution.requirements import NodeRequirements
from x3d.network.model_file import read_model


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\0weights")
    return path


@pytest.fixture
def requirements(tmp_path, model) -> NodeRequirements:
    return NodeRequirements.from_here(
        [str(tmp_path), ""], {"numpy": "numpy"}, str(model), read_model(str(model)).digest
    )


def test_this_machine_meets_its_own_requirements(requirements, tmp_path, model):
    assert requirements.unmet() == []
    assert requirements.paths == (str(tmp_path), str(model))


def test_without_a_model_none_is_required():
    found = NodeRequirements.from_here([])
    assert (found.paths, found.model_path, found.model_digest) == ((), "", "")
    assert found.unmet() == []
    assert NodeRequirements() == NodeRequirements((), (), (), "", "")


def test_paths_are_required_as_absolute_ones(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert NodeRequirements.from_here(["data"]).unmet() == [f"cannot find {tmp_path / 'data'}"]


def test_each_unmet_requirement_is_listed(requirements, model):
    versions = tuple((name, "0" if name in ("av", "numpy") else version) for name, version in requirements.versions)
    model.unlink()
    missing, *others = dataclasses.replace(requirements, versions=versions).unmet()
    assert missing == f"cannot find {model}"
    assert [text.split()[1] for text in others] == ["av", "numpy"]
    assert all(text.endswith(", not 0") for text in others)


def test_another_model_and_a_missing_package_are_named(requirements, model):
    model.write_bytes(b"\0other weights")
    assert requirements.unmet() == [f"has another model {model}"]
    missing = dataclasses.replace(requirements, modules=(("x", "no_such_module"),))
    assert missing.unmet() == ["cannot import a required package: No module named 'no_such_module'"]
