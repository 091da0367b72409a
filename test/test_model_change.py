"""A model that is replaced while an evaluation runs: the run stops, and no score of the other model is recorded."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import x3d_evaluate
from test.helpers import Dataset, evaluate_keys
from x3d.dataset.annotations import Video
from x3d.errors import RunError
from x3d.execution.process_pool import Workers
from x3d.network.engine import ENGINES, open_engine
from x3d.network.model_file import read_model
from x3d.pipeline import scorers


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(tmp_path_factory.mktemp("data")).write_videos({f"{n}.mp4": {"num_frames": 40} for n in range(2)})


@pytest.fixture
def model(small_onnx: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(small_onnx, tmp_path / "x.onnx"))


def replace(model: Path) -> None:
    """Write a model of other weights, and without the metadata of an export, under the same name."""
    other = onnx.load(model)
    weights = other.graph.initializer[-1]
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) + np.float32(1), weights.name))
    other.ClearField("metadata_props")
    onnx.save(other, model)


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [(replace, 1, "model {} has changed since the run started"), (Path.unlink, 2, "{} does not exist")],
)
def test_a_model_that_changes_before_the_workers_load_it_stops_the_run(
    change, status, text, data, model, tmp_path, monkeypatch, caplog
):
    def read_and_change(path):
        found = read_model(path)
        change(model)
        return found

    monkeypatch.setattr(scorers, "read_model", read_and_change)
    assert x3d_evaluate.main(evaluate_keys(data, model, tmp_path / "out")) == status
    assert text.format(model) in caplog.text
    assert "internal_error" not in caplog.text
    assert not (tmp_path / "out").exists()


def test_rows_of_one_model_are_not_resumed_with_another(data, model, tmp_path, caplog):
    digest = read_model(str(model)).digest
    assert x3d_evaluate.main(evaluate_keys(data, model, tmp_path / "out")) == 0
    replace(model)
    assert x3d_evaluate.main(evaluate_keys(data, model, tmp_path / "out")) == 2
    assert f"model_digest was {digest!r}, is {read_model(str(model)).digest!r}" in caplog.text


def test_a_model_that_changes_after_it_was_read_is_not_seen(data, model, small_onnx, tmp_path, monkeypatch):
    """The digest is that of the bytes the engine opens, also if the file changes in between."""
    opened = []
    open_openvino = ENGINES["openvino"]

    def open_changed(found, *given):
        replace(model)
        opened.append(open_openvino(found, *given))
        return opened[-1]

    monkeypatch.setitem(ENGINES, "openvino", open_changed)
    batch = np.random.RandomState(0).standard_normal((1, 3, 4, 40, 40)).astype(np.float32)
    found = open_engine(read_model(str(model))).infer(batch)
    assert found.tolist() == open_openvino(read_model(str(small_onnx)), "", 1, "f32").infer(batch).tolist()
    assert found.tolist() != open_openvino(read_model(str(model)), "", 1, "f32").infer(batch).tolist()


def stop(video: Video) -> None:
    raise RunError(f"model x.onnx has changed at {video.path}")


def test_a_run_error_of_a_worker_ends_the_run():
    videos = [Video(0, "a", "a", 0)]
    with Workers(1, 60) as workers, pytest.raises(RunError, match=r"^model x\.onnx has changed at a"):
        list(workers.run(stop, videos))
