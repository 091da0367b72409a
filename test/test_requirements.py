"""Requirements of a node: paths, versions and the model."""

import dataclasses
import os

import pytest

from x3d.dataset.annotations import Video
from x3d.errors import InputError
from x3d.execution import requirements as module
from x3d.execution.requirements import NodeRequirements
from x3d.network.model_file import read_model


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.om"
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
    assert NodeRequirements() == NodeRequirements((), (), (), "", "", ())


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


def test_copies_of_three_videos_spread_over_the_list_are_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 3, 4, 6):
        (tmp_path / f"{number}.mp4").write_bytes(bytes([number]) * 9)
    (tmp_path / "0.mp4").touch()
    found = NodeRequirements.from_here([], videos=[Video(n, "", f"{n}.mp4", 0) for n in range(7)])
    paths = [str(tmp_path / f"{number}.mp4") for number in (1, 3, 6)]
    assert [path for path, _ in found.sources] == paths, "the first readable ones of each third"
    assert found.unmet() == []
    os.utime(paths[0], (1, 1))
    assert found.unmet() == [], "the time of a copy may differ"
    (tmp_path / "1.mp4").write_bytes(bytes(9))
    (tmp_path / "3.mp4").write_bytes(bytes([3]) * 8)
    (tmp_path / "6.mp4").unlink()
    assert found.unmet() == [
        f"has another video {paths[0]}", f"has another video {paths[1]}", f"cannot find {paths[2]}"
    ]  # fmt: skip


@pytest.mark.parametrize("num", [0, 1, 2])
def test_a_short_list_has_fewer_videos_to_compare(num, tmp_path):
    for number in range(num):
        (tmp_path / f"{number}.mp4").write_bytes(b"a")
    videos = [Video(number, "", str(tmp_path / f"{number}.mp4"), 0) for number in range(num)]
    assert len(NodeRequirements.from_here([], videos=videos).sources) == num


def test_a_node_without_pyslowfast_reports_it(requirements, monkeypatch):
    def fail(modules: object) -> None:
        raise InputError("BACKEND slowfast needs PySlowFast")

    monkeypatch.setattr(module, "versions", fail)
    assert requirements.unmet() == ["cannot import a required package: BACKEND slowfast needs PySlowFast"]
