"""A real Ray cluster of three nodes on this machine."""

import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import x3d_evaluate
import x3d_preprocess
from test.conftest import ROOT, SMALL
from test.videos import write_video
from x3d import ray_workers
from x3d.annotations import Video
from x3d.journal import read_journal
from x3d.ray_workers import run_on_ray

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install -r requirements-ray.txt"
)

NUM_VIDEOS = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    names = [f"class {n % 3}/{n}.mp4" for n in range(NUM_VIDEOS)]
    for number, name in enumerate(names):
        write_video(folder / "val" / name, 60 + number, width=160, height=120)
    (folder / "val" / "class 1" / "4.mp4").write_bytes(b"")
    (folder / "test.csv").write_text("".join(f"{name} {index % 9}\n" for index, name in enumerate(names)))
    return folder


@pytest.fixture
def cluster():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        made.other_nodes = [made.add_node(num_cpus=1) for _ in range(2)]
        made.wait_for_nodes()
        yield made
        made.shutdown()


def start(script, data: Path, *keys: str, address: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(ROOT / script), *SMALL, "DATA.PATH_TO_DATA_DIR", str(data)]
    command += ["DATA.PATH_PREFIX", str(data / "val"), *keys, "X3D_WORKERS.RAY_ADDRESS", address]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload]


def test_a_node_that_dies_costs_nothing(data, small_onnx, cluster, tmp_path, capsys):
    here = [*SMALL, "DATA.PATH_TO_DATA_DIR", str(data), "DATA.PATH_PREFIX", str(data / "val")]
    model = ["X3D_EVALUATE.MODEL_PATH", str(small_onnx), "X3D_POSTPROCESS.ALLOW_MISSING", "True"]
    assert x3d_evaluate.main([*here, *model, "X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "here")]) == 1
    expected = capsys.readouterr().out.splitlines()[-1]

    out = tmp_path / "cluster"
    process = start("x3d_evaluate.py", data, *model, "X3D_EVALUATE.OUTPUT_PATH", str(out), address=cluster.address)
    journal = out / "manifest.rows"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.stat().st_size):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.remove_node(cluster.other_nodes[0], allow_graceful=False)
    said, errors = process.communicate(timeout=180)
    assert process.returncode == 1, errors
    assert said.splitlines()[-1] == expected
    rows, local = (read_journal(path / "manifest.rows", 9) for path in (out, tmp_path / "here"))
    assert rows["video"].tolist() == [n for n in range(NUM_VIDEOS) if n != 4]
    assert np.abs(rows["scores"] - local["scores"]).max() < 30e-6
    assert json.loads((out / "manifest.json").read_text())["videos"]["4"]["reason"] == "empty"


def test_preprocessing_on_a_cluster_writes_the_same_bytes(data, cluster, tmp_path):
    here = [*SMALL, "DATA.PATH_TO_DATA_DIR", str(data), "DATA.PATH_PREFIX", str(data / "val")]
    assert x3d_preprocess.main([*here, "X3D_PREPROCESS.DATA_OUTPUT_PATH", str(tmp_path / "here")]) == 1
    out = ["X3D_PREPROCESS.DATA_OUTPUT_PATH", str(tmp_path / "cluster")]
    process = start("x3d_preprocess.py", data, *out, address=cluster.address)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 1, errors
    names = {path.name for path in (tmp_path / "here").glob("*.npy")}
    assert len(names) == 30 * (NUM_VIDEOS - 1)
    assert {path.name for path in (tmp_path / "cluster").glob("*.npy")} == names
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "cluster" / name).read_bytes()


def test_a_hang_costs_one_video(cluster, monkeypatch):
    def hang_on_the_second(video: Video) -> int:
        if video.index == 1:
            time.sleep(1000)
        return video.index

    monkeypatch.setattr(ray_workers, "START_SECONDS", 6)
    videos = [Video(number, "", f"{number}.mp4", 0) for number in range(6)]
    outcomes = list(run_on_ray(hang_on_the_second, videos, cluster.address, 2, {"CPU": 1}, []))
    assert {outcome.video.index: outcome.reason for outcome in outcomes} == {
        number: "timed_out" if number == 1 else "" for number in range(6)
    }


def test_a_path_that_a_node_does_not_see_is_said_once(data, small_onnx, cluster, tmp_path):
    model = ["X3D_EVALUATE.MODEL_PATH", str(small_onnx), "X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "eval")]
    keys = [*model, "DATA.PATH_PREFIX", str(tmp_path / "nowhere")]
    process = start("x3d_evaluate.py", data, *keys, address=cluster.address)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert f"does not see {tmp_path / 'nowhere'}" in errors
    assert errors.count("does not see") <= 3


def test_a_cluster_that_is_not_there_is_named(data, small_onnx, tmp_path):
    model = ["X3D_EVALUATE.MODEL_PATH", str(small_onnx), "X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "eval")]
    process = start("x3d_evaluate.py", data, *model, address="127.0.0.1:1")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "X3D_WORKERS.RAY_ADDRESS 127.0.0.1:1 cannot be reached" in errors
