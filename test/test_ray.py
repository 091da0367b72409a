"""A real Ray cluster of three nodes on this machine."""

import dataclasses
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import x3d_evaluate
import x3d_preprocess
from test.helpers import ROOT, SMALL, Dataset, read_rows_of
from test.videos import write_video
from x3d.dataset.annotations import Video
from x3d.errors import EngineError, InputError, RunError, VideoError
from x3d.execution.ray_cluster import RayWorkers
from x3d.execution.ray_node import _cached, _node_workers
from x3d.execution.requirements import NodeRequirements
from x3d.network.model_file import read_model
from x3d.storage.score_rows import row_type

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install -r requirements-ray.txt"
)

NUM_VIDEOS = 24
ROW = row_type(9, 30, "sum")
TIMEOUT_SECONDS = 180
"""For a script on the cluster to end."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    names = [f"class {n % 3}/{n}.mp4" for n in range(NUM_VIDEOS)]
    for number, name in enumerate(names):
        write_video(folder / "val" / name, 60 + number, width=160, height=120)
    (folder / "val" / "class 1" / "4.mp4").write_bytes(b"")
    (folder / "test.csv").write_text("".join(f"{name} {index % 9}\n" for index, name in enumerate(names)))
    return folder


@contextmanager
def three_nodes(**head: Any) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **head})
        try:
            for _ in range(2):
                made.add_node(num_cpus=1)
            made.wait_for_nodes()
            yield made
        finally:
            made.shutdown()


@pytest.fixture(scope="module")
def client_port() -> int:
    """A free port for Ray's client server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(client_port: int) -> Iterator[Any]:
    """A cluster that tests leave as it is."""
    with three_nodes(ray_client_server_port=client_port) as made:
        yield made


@pytest.fixture
def own_cluster() -> Iterator[Any]:
    """A cluster for one test, which may change it."""
    with three_nodes() as made:
        yield made


def start(script, data: Path, *keys: str, address: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(ROOT / script), *SMALL, "DATA.PATH_TO_DATA_DIR", str(data)]
    command += ["DATA.PATH_PREFIX", str(data / "val"), *keys, "X3D_WORKERS.RAY_ADDRESS", address]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload]


def by_files(data: Path, *keys: str) -> list[str]:
    return [*SMALL, "DATA.PATH_TO_DATA_DIR", str(data), "DATA.PATH_PREFIX", str(data / "val"), *keys]


@pytest.fixture(scope="module")
def evaluation(data, small_onnx, tmp_path_factory) -> tuple[list[str], np.ndarray, str]:
    """The keys of an evaluation, and its rows and line without a cluster."""
    keys = ["X3D_EVALUATE.MODEL_PATH", str(small_onnx), "X3D_POSTPROCESS.ALLOW_MISSING", "True"]
    folder = tmp_path_factory.mktemp("here") / "eval"
    assert x3d_evaluate.main(by_files(data, *keys, "X3D_EVALUATE.OUTPUT_PATH", str(folder))) == 1
    details = json.loads((folder.parent / "eval_accuracy.json").read_text())
    line = {key: details[key] for key in ("split", "top1_acc", "top5_acc")}
    return keys, read_rows_of(folder / "manifest.json"), json.dumps(line)


def wait_for_rows(process: "subprocess.Popen[str]", folder: Path, num_rows: int = 1) -> None:
    journal = folder / "manifest.rows"
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (journal.exists() and journal.stat().st_size >= num_rows * ROW.itemsize):
        assert process.poll() is None, process.communicate(timeout=TIMEOUT_SECONDS)[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_evaluation(process: "subprocess.Popen[str]", folder: Path, evaluation: tuple[Any, np.ndarray, str]) -> None:
    """See that a run that ends, one video being empty, has the rows and the line it has without a cluster."""
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 1, errors
    assert output.splitlines()[-1] == evaluation[2]
    rows = read_rows_of(folder / "manifest.json")
    assert rows["video"].tolist() == [n for n in range(NUM_VIDEOS) if n != 4]
    assert np.abs(rows["scores"] - evaluation[1]["scores"]).max() < 30e-6
    assert json.loads((folder / "manifest.json").read_text())["videos"]["4"]["reason"] == "empty"


def test_the_videos_of_a_killed_node_are_retried(data, evaluation, own_cluster, tmp_path):
    output = ["X3D_EVALUATE.OUTPUT_PATH", str(tmp_path)]
    process = start("x3d_evaluate.py", data, *evaluation[0], *output, address=own_cluster.address)
    wait_for_rows(process, tmp_path)
    own_cluster.remove_node(next(iter(own_cluster.worker_nodes)), allow_graceful=False)
    check_evaluation(process, tmp_path, evaluation)


def test_a_cluster_is_found_by_its_client_address(data, evaluation, cluster, client_port, tmp_path):
    output = ["X3D_EVALUATE.OUTPUT_PATH", str(tmp_path)]
    process = start("x3d_evaluate.py", data, *evaluation[0], *output, address=f"ray://127.0.0.1:{client_port}")
    check_evaluation(process, tmp_path, evaluation)


def test_the_loss_of_the_head_node_ends_the_run(data, evaluation, own_cluster, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    (many / "val").symlink_to(data / "val")
    (many / "test.csv").write_text(20 * (data / "test.csv").read_text())
    folder = ["X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "out")]
    process = start("x3d_evaluate.py", many, *evaluation[0], *folder, address=own_cluster.address)
    wait_for_rows(process, tmp_path / "out")
    address = own_cluster.address
    own_cluster.remove_node(own_cluster.head_node, allow_graceful=False)
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, output) == (1, ""), errors
    assert f"the cluster {address} was lost: no answer within 10 s" in errors


def test_the_run_of_a_killed_driver_resumes(data, evaluation, cluster, tmp_path):
    output = ["X3D_EVALUATE.OUTPUT_PATH", str(tmp_path)]
    num_done = 0
    for by, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)):
        process = start("x3d_evaluate.py", data, *evaluation[0], *output, address=cluster.address)
        wait_for_rows(process, tmp_path, num_done + 1)
        process.send_signal(by)
        process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == status
        num_done = len(read_rows_of(tmp_path / "manifest.json"))
        assert num_done < NUM_VIDEOS - 1
    process = start("x3d_evaluate.py", data, *evaluation[0], *output, address=cluster.address)
    check_evaluation(process, tmp_path, evaluation)


def test_preprocessing_on_a_cluster_writes_the_same_bytes(data, cluster, tmp_path):
    assert x3d_preprocess.main(by_files(data, "X3D_PREPROCESS.DATA_OUTPUT_PATH", str(tmp_path / "here"))) == 1
    out = ["X3D_PREPROCESS.DATA_OUTPUT_PATH", str(tmp_path / "cluster")]
    process = start("x3d_preprocess.py", data, *out, address=cluster.address)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 1, errors
    names = {path.name for path in (tmp_path / "here").glob("*.npy")}
    assert len(names) == 30 * (NUM_VIDEOS - 1)
    assert {path.name for path in (tmp_path / "cluster").glob("*.npy")} == names
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "cluster" / name).read_bytes()


def misbehave(video: Video) -> int:
    if video.index == 1:
        time.sleep(1000)
    if video.index == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if video.index == 3:
        raise VideoError("damaged", video.path, "for a test")
    if video.index == 4:
        raise ZeroDivisionError
    return video.index


NO_REQUIREMENTS = NodeRequirements.from_here([])


def outcomes_of(
    function: Any,
    num_videos: int,
    address: str,
    resources: dict[str, float],
    requirements: NodeRequirements = NO_REQUIREMENTS,
) -> dict:
    videos = [Video(number, "", f"{number}.mp4", 0) for number in range(num_videos)]
    with RayWorkers(address, 2, resources, requirements) as workers:
        return {outcome.video.index: outcome.reason or outcome.value for outcome in workers.run(function, videos)}


def test_a_hang_or_a_crash_costs_one_video(cluster):
    found = outcomes_of(misbehave, 8, cluster.address, {"CPU": 1})
    bad = {1: "timed_out", 2: "crashed", 3: "damaged", 4: "internal_error"}
    assert found == {0: 0, 5: 5, 6: 6, 7: 7} | bad


def visible_npus(video: Video) -> str:
    return os.environ["ASCEND_RT_VISIBLE_DEVICES"]


def test_a_device_is_requested_from_ray_by_name(own_cluster):
    quarter = {"CPU": 1.0, "NPU": 0.25}
    with pytest.raises(ValueError, match=r"no node of .* has CPU 1 and NPU 0\.25"):
        outcomes_of(visible_npus, 1, own_cluster.address, quarter)
    own_cluster.add_node(num_cpus=4, resources={"NPU": 2})
    own_cluster.wait_for_nodes()
    found = outcomes_of(visible_npus, 6, own_cluster.address, quarter)
    assert set(found.values()) <= {"0", "1"}
    assert len(found) == 6


@dataclasses.dataclass(frozen=True)
class NoMark(NodeRequirements):
    """Unmet by a node that was started with a mark in its environment."""

    def unmet(self) -> list[str]:
        return ["is marked"] if "MARKED" in os.environ else []


def test_a_node_that_joins_later_and_does_not_meet_the_requirements_is_excluded_and_logged_once(own_cluster, caplog):
    videos = [Video(number, "", f"{number}.mp4", 0) for number in range(40)]
    with RayWorkers(own_cluster.address, 10, {"CPU": 1}, NoMark()) as workers:
        outcomes = workers.run(take_a_moment, videos)
        seen = [next(outcomes).video.index]
        own_cluster.add_node(num_cpus=2, env_vars={"MARKED": "1"})
        own_cluster.wait_for_nodes()
        seen += [outcome.video.index for outcome in outcomes]
    assert sorted(seen) == list(range(40))
    assert caplog.text.count("is excluded: is marked") == 1
    with pytest.raises(ValueError, match="is marked") as refused:
        RayWorkers(own_cluster.address, 10, {"CPU": 1}, NoMark())
    assert str(refused.value).count("is marked") == 1


def fail_to_start(video: Video) -> int:
    raise EngineError("no driver")


def test_a_run_ends_when_no_node_can_do_the_work(cluster, caplog):
    with pytest.raises(RunError, match=r"no node of .* is left that can do the work"):
        outcomes_of(fail_to_start, 9, cluster.address, {"CPU": 1})
    assert caplog.text.count("is excluded: no driver") == 3


def take_a_moment(video: Video) -> int:
    time.sleep(0.5)
    return video.index


def test_a_node_with_another_version_or_model_is_named(cluster, small_onnx):
    required = NodeRequirements.from_here(
        [], {"openvino": "openvino"}, str(small_onnx), read_model(str(small_onnx)).digest
    )
    older = dataclasses.replace(required, versions=(("av", "1.0"), *required.versions[:-1]))
    with pytest.raises(ValueError, match=r"node [\d.]+: has av .*, not 1\.0.*must be the same on every node"):
        outcomes_of(misbehave, 1, cluster.address, {"CPU": 1}, older)
    with pytest.raises(ValueError, match=rf"node [\d.]+: has another model {small_onnx}"):
        outcomes_of(misbehave, 1, cluster.address, {"CPU": 1}, dataclasses.replace(required, model_digest="0"))
    missing = dataclasses.replace(required, modules=(("x", "no_such_module"),))
    with pytest.raises(ValueError, match="cannot import a required package: No module named 'no_such_module'"):
        outcomes_of(misbehave, 1, cluster.address, {"CPU": 1}, missing)


def test_paths_and_videos_are_checked_on_each_node_before_anything_starts(cluster, tmp_path):
    path, nowhere = tmp_path / "a.mp4", tmp_path / "nowhere"
    path.write_bytes(b"here")
    required = NodeRequirements.from_here([str(nowhere)], videos=[Video(0, "", str(path), 0)])
    path.write_bytes(b"node")
    with pytest.raises(InputError) as raised:
        outcomes_of(process_number, 1, cluster.address, {"CPU": 1}, required)
    assert str(raised.value).count(f"cannot find {nowhere}, has another video {path}") == 3


def test_paths_are_checked_on_each_node_once_before_anything_starts(data, small_onnx, cluster, tmp_path):
    model = ["X3D_EVALUATE.MODEL_PATH", str(small_onnx), "X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "eval")]
    listed = Dataset(tmp_path / "list")
    listed.path.mkdir()
    listed.write_list([str(path) for path in data.rglob("*.mp4")])
    process = start("x3d_evaluate.py", listed.path, *model, address=cluster.address)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 2
    assert errors.count(f"cannot find {listed.val}") == 3
    assert "run the same command to resume" not in errors
    assert not (tmp_path / "eval").exists()


def test_a_cluster_that_cannot_be_reached_is_named(data, small_onnx, tmp_path):
    model = ["X3D_EVALUATE.MODEL_PATH", str(small_onnx), "X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "eval")]
    process = start("x3d_evaluate.py", data, *model, address="127.0.0.1:1")
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 2
    assert "X3D_WORKERS.RAY_ADDRESS 127.0.0.1:1 cannot be reached" in errors


def process_number(video: Video) -> int:
    return os.getpid()


def test_a_process_is_kept_for_the_same_devices_and_ended_when_they_change():
    video = Video(0, "", "", 0)
    try:
        [first] = _node_workers(60, "GPU 0", NodeRequirements()).run(process_number, [video])
        [same] = _node_workers(60, "GPU 0", NodeRequirements()).run(process_number, [video])
        assert same.value == first.value
        [other] = _node_workers(60, "GPU 1", NodeRequirements()).run(process_number, [video])
        assert other.value != first.value
        assert not Path(f"/proc/{first.value}").exists()
    finally:
        _cached.pop().close()
