"""The line that a script logs before its work."""

import types
from pathlib import Path
from typing import Any

import pytest

from x3d.dataset.naming import Shard
from x3d.execution.runner import RunnerSettings
from x3d.pipeline import workers
from x3d.pipeline.run_line import describe_list, describe_model, describe_workers, log_run


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("3 videos", "x.onnx", "2 workers", "output out/"), "3 videos; x.onnx; 2 workers; output out/"),
        (("3 videos", "", "2 workers", "output out/"), "3 videos; 2 workers; output out/"),
        (("8 views", "x.onnx"), "8 views; x.onnx"),
    ],
)
def test_the_parts_are_in_one_order(parts, line, caplog):
    caplog.set_level("INFO")
    log_run(*parts)
    assert caplog.messages == [line]


def test_the_work_on_a_list_names_the_shard():
    path = Path("data/test.csv")
    assert describe_list(path, 1, 0) == "1 video of data/test.csv, 0 to do"
    assert describe_list(path, 3, 2, Shard(1, 4)) == "3 videos of data/test.csv, shard 1 of 4, 2 to do"


def test_a_model_is_described_with_how_it_is_run():
    engine: Any = types.SimpleNamespace(name="onnxruntime", device="CUDA", precision="tf32")
    assert describe_model("x.onnx", engine, 30) == "x.onnx (onnxruntime, CUDA, tf32, batch size 30)"


def test_the_workers_are_those_that_are_started(monkeypatch):
    monkeypatch.setattr(workers, "count_cores", lambda: 6)
    assert describe_workers(RunnerSettings(1, 60, "")) == "1 worker"
    assert describe_workers(RunnerSettings(0, 60, "")) == "6 workers"
    assert describe_workers(RunnerSettings(0, 60, ""), "CUDA", 1) == "4 workers"
    assert describe_workers(RunnerSettings(0, 60, "10.0.0.1:6379")) == "Ray cluster 10.0.0.1:6379"
