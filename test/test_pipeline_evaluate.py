"""From videos to rows of scores, as a value; an engine and the workers have stand-ins."""

import dataclasses
import json
import os
import shutil
import types
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from test.helpers import ROOT, Dataset, evaluate_keys, read_rows_of, states, with_keys
from test.local_runner import LocalRunner
from test.tables import video_scores
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.dataset.naming import Shard
from x3d.errors import EngineError, RunError, VideoError
from x3d.execution.runner import RunnerSettings
from x3d.network.model_file import read_model
from x3d.pipeline import evaluate as module
from x3d.pipeline import video_scorer
from x3d.pipeline.evaluate import evaluate
from x3d.pipeline.evaluate_settings import EvaluateSettings
from x3d.pipeline.scorers import count_scorers, plan_scorer
from x3d.pipeline.workers import count_workers, task_resources
from x3d.scoring.outputs import Outputs
from x3d.storage.score_rows import VideoScores
from x3d.video.sampling import Sampling
from x3d.video.source import Source, read_source
from x3d.video.transform import Transform

VIEW = (3, 4, 40, 40)
S = str(ROOT / "configs/X3D_S.yaml")


def engine(**more: Any) -> Any:
    """An engine that only describes itself."""
    num_classes = more.get("num_classes", 9)
    described: dict[str, Any] = {
        "name": "standin",
        "packages": {},
        "device": "CPU",
        "precision": "f32",
        "input_dtype": "float32",
        "batch_size": None,
        "view_shape": VIEW,
        "num_classes": num_classes,
        "infer": lambda batch: np.zeros((len(batch), num_classes), np.float32),
    }
    return types.SimpleNamespace(**described | more)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Five listed files, of which the second exists."""
    made = Dataset(tmp_path / "data")
    made.val.mkdir(parents=True)
    (made.val / "1.mp4").touch()
    os.utime(made.val / "1.mp4", ns=(2, 2))
    return made.write_list([f"{number}.mp4" for number in range(5)])


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a model that the stand-in engine runs."""
    use_engine(monkeypatch, engine())
    path = tmp_path / "x.om"
    path.write_bytes(b"\0model")
    return path


def use_engine(monkeypatch: pytest.MonkeyPatch, opened: Any) -> list[tuple[Any, ...]]:
    """Let the workers open an engine; return what open_engine is called with."""
    calls: list[tuple[Any, ...]] = []

    def open_engine(*given: Any) -> Any:
        calls.append(given)
        return opened

    video_scorer._open_once.cache_clear()
    monkeypatch.setattr(video_scorer, "open_engine", open_engine)
    return calls


def settings(data: Dataset, model: Path, out: Path, *more: str) -> EvaluateSettings:
    return EvaluateSettings.from_cfg(load_cfg(S, evaluate_keys(data, model, out, *more)))


SOURCE = Source(0, 2, 3)
"""Of an empty file, that of `data`."""


def score(video: Video) -> VideoScores:
    """Score class `index` of a video, and fail at video 3."""
    if video.index == 3:
        raise VideoError("damaged", video.path)
    return video_scores(np.eye(9, dtype=np.float32)[video.index], SOURCE, 90 * (video.index == 1), video.index // 2)


def test_settings_are_read_from_their_keys(data, tmp_path):
    keys = evaluate_keys(data, Path("x.onnx"), Path("out"), "X3D_EVALUATE.ENGINE", "onnxruntime")
    cfg = load_cfg(S, with_keys(keys, *"X3D_EVALUATE.DEVICE cuda:1 DATA.ENSEMBLE_METHOD max TEST.BATCH_SIZE 7".split()))
    found = EvaluateSettings.from_cfg(cfg)
    assert [video.listed for video in found.videos] == [f"{number}.mp4" for number in range(5)]
    assert (found.path_prefix, found.model_path, found.output_path) == (str(data.val), "x.onnx", "out")
    assert (found.engine, found.device, found.batch_size) == ("onnxruntime", "cuda:1", 7)
    assert (found.view_shape, found.num_views, found.num_classes, found.ensemble_method) == (VIEW, 30, 9, "max")
    assert (found.sampling, found.transform) == (Sampling.from_cfg(cfg), Transform.from_cfg(cfg))
    assert found.runner == RunnerSettings.from_cfg(cfg)
    assert not found.stop_at_first_failure
    assert found.view_config["DATA.SAMPLING_RATE"] == 3
    assert EvaluateSettings.from_cfg(load_cfg(S, [*keys, "X3D_WORKERS.ON_ERROR", "raise"])).stop_at_first_failure


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("X3D_EVALUATE.OUTPUT_PATH", "", r"X3D_EVALUATE\.OUTPUT_PATH is empty; give the folder for the scores"),
        ("X3D_EVALUATE.MODEL_PATH", "", r"X3D_EVALUATE\.MODEL_PATH is empty; give the \.onnx, \.xml or \.om to run"),
        (
            "X3D_PREPROCESS.BACKEND",
            "slowfast",
            r"^X3D_PREPROCESS\.BACKEND slowfast: .*set X3D_PREPROCESS\.BACKEND native",
        ),
        ("X3D_POSTPROCESS.BACKEND", "slowfast", r"^X3D_POSTPROCESS\.BACKEND slowfast: .*set X3D_POSTPROCESS\.BACKEND"),
    ],
)
def test_settings_that_cannot_be_evaluated_are_refused(key, value, advice, data):
    with pytest.raises(ValueError, match=advice):
        settings(data, Path("x.onnx"), Path("out"), key, value)


@pytest.fixture
def six_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0: set(range(6))}[process])


@pytest.mark.parametrize(
    ("num_workers", "device", "expected"), [(0, "CPU", 6), (0, "CUDA", 4), (0, "NPU", 4), (3, "CPU", 3), (5, "GPU", 5)]
)
def test_workers_are_those_asked_for_or_one_per_core_and_four_on_a_device(num_workers, device, expected, six_cores):
    assert count_workers(RunnerSettings(num_workers, 60, ""), device) == expected


@pytest.mark.parametrize(("device", "expected"), [("cuda:0", 4), ("cuda:0,cuda:1", 6), ("0,1", 6), ("", 6)])
def test_each_device_has_four_workers(device, expected, data, onnx, six_cores):
    chosen = dataclasses.replace(settings(data, onnx, Path("out"), "X3D_WORKERS.NUM", "0"), device=device)
    assert count_scorers(chosen) == expected


def test_a_device_has_no_more_workers_than_there_are_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0: {0, 1}}[process])
    assert count_workers(RunnerSettings(0, 60, ""), "CUDA") == 2


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("CPU", {"CPU": 1.0}),
        *((device, {"CPU": 1.0, "GPU": 0.25}) for device in ("CUDA", "TENSORRT", "ROCM", "MIGRAPHX", "GPU")),
        *((device, {"CPU": 1.0, "NPU": 0.25}) for device in ("CANN", "NPU")),
    ],
)
def test_a_task_takes_a_core_and_a_quarter_of_the_device_it_runs_on(device, expected):
    assert task_resources(device) == expected


def plan(data: Dataset, model: Path, num_workers: int = 0, ray: str = "", batch_size: int = 64, **more):
    chosen = settings(data, model, Path("out"))
    runner = RunnerSettings(num_workers, 60, ray)
    return plan_scorer(dataclasses.replace(chosen, runner=runner, batch_size=batch_size, **more))


@pytest.fixture
def onnx(small_onnx: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(small_onnx, tmp_path / "x.onnx"))


@pytest.mark.parametrize(
    ("num_workers", "device", "ray", "num_threads"),
    [
        (0, "0", "", 1),
        (2, "cpu", "", 3),
        (4, "", "", 1),
        (9, "", "", 1),
        (0, "cuda", "", 1),
        (1, "", "auto", 1),
    ],
)
def test_the_workers_share_the_cores_and_a_task_on_a_cluster_has_one(
    num_workers, device, ray, num_threads, data, onnx, six_cores
):
    assert plan(data, onnx, num_workers, ray, device=device).num_threads == num_threads


@pytest.mark.parametrize(
    ("device", "num_workers", "unused"),
    [
        ("cuda:0,cuda:1,cuda:2", 2, "2 workers for 3 devices, cuda:2 unused"),
        ("cuda:0,cuda:1,cuda:3", 1, "1 worker for 3 devices, cuda:1, cuda:3 unused"),
        ("cuda:0,cuda:1,cuda:2", 3, ""),
        ("cuda:0", 1, ""),
        ("0,1", 1, ""),
    ],
)
def test_devices_without_a_worker_are_named(device, num_workers, unused, data, onnx, caplog):
    plan(data, onnx, num_workers, device=device)
    texts = [f"X3D_EVALUATE.DEVICE {device}: {unused}; raise X3D_WORKERS.NUM or give fewer devices"] if unused else []
    assert [one.getMessage() for one in caplog.records] == texts


@pytest.mark.parametrize(
    ("device", "batch_size", "expected"), [("", 64, 8), ("0", 5, 5), ("cuda:0", 64, 30), ("GPU", 16, 16)]
)
def test_a_batch_is_small_on_a_cpu_and_at_most_a_video_on_a_device(device, batch_size, expected, data, onnx):
    assert plan(data, onnx, batch_size=batch_size, device=device).batch_size == expected


def test_the_batch_size_is_that_which_the_model_fixes(data, model, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    use_engine(monkeypatch, engine(batch_size=12))
    LocalRunner(score).use_in("scorers", monkeypatch)
    evaluate(settings(data, model, tmp_path / "out"))
    assert ", batch size 12); 1 worker; " in caplog.text
    assert json.loads((tmp_path / "out/manifest.json").read_text())["provenance"]["batch_size"] == 12


def test_the_scorer_knows_all_that_a_worker_needs(data, onnx, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = settings(data, Path("x.onnx"), Path("out"), "DATA.ENSEMBLE_METHOD", "max")
    scorer = plan_scorer(dataclasses.replace(chosen, device="cuda:1"))
    assert (scorer.model_path, scorer.model_digest) == (str(onnx), read_model(str(onnx)).digest)
    assert scorer.engine == "auto"
    assert scorer.device == "cuda:1"
    assert (scorer.sampling, scorer.transform) == (chosen.sampling, chosen.transform)
    assert scorer.ensemble_method == "max"


@pytest.mark.parametrize("device", ["cuda:1", "3", "cuda:10", "0,1", "cuda:1,cuda:0"])
def test_a_cluster_chooses_among_the_devices_of_a_node(device, data, onnx):
    with pytest.raises(ValueError, match=f"X3D_EVALUATE.DEVICE {device}: Ray chooses .*leave the numbers out"):
        plan(data, onnx, ray="auto", device=device)


@pytest.mark.parametrize("device", ["", "0", "cuda", "cuda:0"])
def test_a_device_without_a_number_suits_a_cluster(device, data, onnx):
    assert plan(data, onnx, ray="auto", device=device).device == device


@pytest.mark.parametrize("more", [{"view_shape": (3, 13, 182, 182)}, {"num_classes": 400}])
def test_a_model_that_does_not_fit_the_configuration_is_refused(more, data, model, tmp_path, monkeypatch):
    found = engine(**more)
    use_engine(monkeypatch, found)
    LocalRunner().use_in("scorers", monkeypatch)
    remedy = "set MODEL.NUM_CLASSES 400, or " if "num_classes" in more else ""
    with pytest.raises(ValueError, match="takes views of") as raised:
        evaluate(settings(data, model, tmp_path / "out"))
    assert str(raised.value) == (
        f"X3D_EVALUATE.MODEL_PATH {model} takes views of {found.view_shape} and returns {found.num_classes} classes; "
        f"--cfg configures (3, 4, 40, 40) and 9: {remedy}give the --cfg of the export"
    )
    assert not (tmp_path / "out").exists()


def test_an_engine_that_fails_is_reported_once_before_anything_starts(data, model, tmp_path, monkeypatch):
    failing = engine(infer=lambda batch: np.zeros((len(batch), 9, 1), np.float32))
    use_engine(monkeypatch, failing)
    runner = LocalRunner().use_in("scorers", monkeypatch)
    with pytest.raises(EngineError, match=r"standin returned float32 \(2, 9, 1\) for a batch, not float32 \(2, 9\)"):
        evaluate(settings(data, model, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert runner.seen == []


def test_scores_become_rows_and_failures_entries(data, model, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    LocalRunner(score).use_in("scorers", monkeypatch)
    out = tmp_path / "out"
    summary = evaluate(settings(data, model, out))
    assert (summary.num_videos, summary.num_done, summary.num_not_reached) == (5, 4, 0)
    assert summary.manifest == out / "manifest.json"
    entry = {"path": "3.mp4", "label": 3, "state": "failed", "reason": "damaged"}
    [failed] = summary.failed
    assert {key: failed[key] for key in entry} == entry
    assert states(out) == {"3": failed}
    rows = read_rows_of(out / "manifest.json")
    assert (rows["video"].tolist(), rows["label"].tolist()) == ([0, 1, 2, 4], [0, 1, 2, 4])
    np.testing.assert_array_equal(rows["scores"], np.eye(9)[[0, 1, 2, 4]])
    assert (summary.num_rotated, summary.num_corrupt) == (1, 2)
    how = f"{model} (standin, CPU, f32, batch size 8)"
    assert f"5 videos of {data.list_path}, 5 to do; {how}; 1 worker; output {out}" in caplog.text


def test_as_many_workers_are_prepared_as_videos_are_left(data, model, tmp_path, monkeypatch):
    runner = LocalRunner(score).use_in("scorers", monkeypatch)
    for number in (0, 1):
        evaluate(settings(data, model, tmp_path / "out"), Shard(number, 6))
    evaluate(settings(data, model, tmp_path / "out"), Shard(0, 6))
    evaluate(settings(data, model, tmp_path / "out"), Shard(5, 6))
    assert runner.num_prepared == [1, 1, 0, 0]
    assert runner.seen == [[0], [1], [], []]
    assert (tmp_path / "out/manifest-5of6.json").exists(), "of a shard without videos"


def test_a_second_run_does_what_failed_and_forgets_the_failure(data, model, tmp_path, monkeypatch):
    chosen = settings(data, model, tmp_path / "out")
    runner = LocalRunner(score).use_in("scorers", monkeypatch)
    evaluate(chosen)
    runner.replacement = lambda video: video_scores(np.zeros(9, np.float32), SOURCE)
    summary = evaluate(chosen)
    assert runner.seen == [[0, 1, 2, 3, 4], [3]]
    assert (summary.num_done, summary.failed, summary.complete) == (5, [], True)
    assert states(tmp_path / "out") == {}


def test_the_runner_gets_workers_resources_and_requirements(data, onnx, tmp_path, monkeypatch, six_cores):
    use_engine(monkeypatch, engine(device="CUDA"))
    runner = LocalRunner(score).use_in("scorers", monkeypatch)
    keys = "X3D_EVALUATE.ENGINE onnxruntime X3D_EVALUATE.DEVICE cuda X3D_WORKERS.NUM 0 X3D_WORKERS.TIMEOUT 77".split()
    evaluate(settings(data, onnx, tmp_path / "out", *keys))
    given, requirements, resources = runner.opened_with
    assert given == RunnerSettings(4, 77, "")
    assert resources == {"CPU": 1.0, "GPU": 0.25}
    (data.val / "1.mp4").write_bytes(b"a")
    required = requirements()
    assert required.paths == (str(data.val), str(onnx))
    assert str(data.val / "1.mp4") in dict(required.sources)
    assert dict(required.versions)["onnxruntime"] == onnxruntime.__version__
    assert (required.model_path, required.model_digest) == (str(onnx), read_model(str(onnx)).digest)
    assert runner.function.batch_size == 8, "TEST.BATCH_SIZE of the keys"


def test_the_cluster_is_named_in_the_log(data, model, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    LocalRunner(score).use_in("scorers", monkeypatch)
    evaluate(settings(data, model, tmp_path / "out", "X3D_WORKERS.RAY_ADDRESS", "10.0.0.1:6379"))
    assert "; Ray cluster 10.0.0.1:6379; output " in caplog.text


def test_a_shard_does_its_own_videos(data, model, tmp_path, monkeypatch):
    runner = LocalRunner(score).use_in("scorers", monkeypatch)
    summary = evaluate(settings(data, model, tmp_path / "out"), Shard(1, 2))
    assert runner.seen == [[1, 3]]
    assert (summary.num_videos, summary.num_done, len(summary.failed)) == (2, 1, 1)
    assert summary.manifest.name == "manifest-1of2.json"


def test_the_first_failure_stops_where_wanted(data, model, tmp_path, monkeypatch):
    LocalRunner(score).use_in("scorers", monkeypatch)
    summary = evaluate(settings(data, model, tmp_path / "out", "X3D_WORKERS.ON_ERROR", "raise"))
    assert (summary.num_done, len(summary.failed), summary.num_not_reached) == (3, 1, 1)


def test_a_full_disk_ends_the_run_with_its_failures_saved(data, model, tmp_path, monkeypatch):
    def fill_the_disk(video: Video) -> np.ndarray:
        if video.index == 0:
            raise VideoError("damaged", video.path)
        raise OSError(28, "No space left on device")

    LocalRunner(fill_the_disk).use_in("scorers", monkeypatch)
    with pytest.raises(RunError, match="No space left on device; run the same command to resume"):
        evaluate(settings(data, model, tmp_path / "out"))
    assert list(states(tmp_path / "out")) == ["0"]


def test_the_progress_bar_shows_the_accuracy_of_this_run_and_the_rows_it_resumes(
    data, model, tmp_path, monkeypatch, capsys
):
    data.list_path.write_text("0.mp4 0\n1.mp4 8\n2.mp4 2\n3.mp4 -1\n4.mp4 4\n")
    failing = {2, 4}

    def some(video: Video) -> VideoScores:
        if video.index in failing:
            raise VideoError("damaged", video.path)
        return video_scores(np.eye(9, dtype=np.float32)[video.index], SOURCE)

    LocalRunner(some).use_in("scorers", monkeypatch)
    evaluate(settings(data, model, tmp_path / "out"))
    assert capsys.readouterr().err.rstrip().endswith(", top-1 50.0 % (9.5 to 90.5)]")
    failing.clear()
    monkeypatch.setattr(module, "drop_changed", lambda rows, videos: None)
    evaluate(settings(data, model, tmp_path / "out"))
    shown = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "/5 [" in line]
    assert any("| 3/5 [" in line and line.endswith(", top-1 50.0 % (9.5 to 90.5)]") for line in shown)
    assert shown[-1].endswith(", top-1 75.0 % (30.1 to 95.4)]")


def test_the_engine_is_opened_as_the_keys_say(data, onnx, tmp_path, monkeypatch, six_cores):
    opened = use_engine(monkeypatch, engine())
    LocalRunner(score).use_in("scorers", monkeypatch)
    keys = "X3D_EVALUATE.ENGINE onnxruntime X3D_EVALUATE.DEVICE cpu X3D_EVALUATE.PRECISION bf16".split()
    evaluate(settings(data, onnx, tmp_path / "out", *keys))
    assert opened == [(read_model(str(onnx)), "onnxruntime", "cpu", 6, "bf16")]


def test_rows_made_with_another_batch_size_are_not_resumed(data, model, tmp_path, monkeypatch):
    LocalRunner(score).use_in("scorers", monkeypatch)
    evaluate(settings(data, model, tmp_path / "out"))
    with pytest.raises(ValueError, match="batch_size was 8, is 5"):
        evaluate(settings(data, model, tmp_path / "out", "TEST.BATCH_SIZE", "5"))


@pytest.mark.parametrize("shard", [Shard(0, 1), Shard(1, 2)])
def test_rows_of_two_precisions_never_mix(shard, data, model, tmp_path, monkeypatch):
    LocalRunner(score).use_in("scorers", monkeypatch)
    use_engine(monkeypatch, engine())
    evaluate(settings(data, model, tmp_path / "out"), Shard(0, shard.num_shards))
    use_engine(monkeypatch, engine(precision="bf16"))
    with pytest.raises(ValueError, match="precision was 'f32', is 'bf16'"):
        evaluate(settings(data, model, tmp_path / "out", "X3D_EVALUATE.PRECISION", "bf16"), shard)


def test_a_video_that_changed_is_scored_again(data, model, tmp_path, monkeypatch, caplog):
    (data.val / "1.mp4").write_bytes(b"first")
    runner = LocalRunner(lambda video: video_scores(np.eye(9, dtype=np.float32)[0], identify(video)))
    runner.use_in("scorers", monkeypatch)
    chosen = settings(data, model, tmp_path / "out")
    evaluate(chosen)
    (data.val / "1.mp4").write_bytes(b"second")
    summary = evaluate(chosen)
    assert runner.seen == [[0, 1, 2, 3, 4], [1]]
    assert summary.complete
    assert f"1 video changed since the last run, processed again: {data.val}/1.mp4" in caplog.text
    assert "4 videos not readable any more, results stay in use: " in caplog.text


def identify(video: Video) -> Source:
    return read_source(video.path) if video.index == 1 else SOURCE


def test_an_evaluation_removes_the_accuracy_of_an_earlier_one(data, model, tmp_path, monkeypatch):
    LocalRunner(score).use_in("scorers", monkeypatch)
    accuracy = tmp_path / "out_accuracy.json"
    accuracy.write_text('{"expected_from": "", "conditions": {}}')
    evaluate(settings(data, model, tmp_path / "out"))
    assert not accuracy.exists(), "of a folder that is new"
    accuracy.write_text('{"expected_from": "", "conditions": {}}')
    with pytest.raises(ValueError, match="takes views of"):
        evaluate(dataclasses.replace(settings(data, model, tmp_path / "out"), num_classes=8))
    assert not accuracy.exists(), "of a folder that is rejected"


def test_rows_made_with_a_softmax_are_not_resumed_without(data, model, tmp_path, monkeypatch):
    runner = LocalRunner(score).use_in("scorers", monkeypatch)
    evaluate(settings(data, model, tmp_path / "out", "X3D_POSTPROCESS.SOFTMAX", "True"))
    assert runner.function.outputs is Outputs.LOGITS
    with pytest.raises(ValueError, match=r"X3D_POSTPROCESS\.SOFTMAX was True, is False"):
        evaluate(settings(data, model, tmp_path / "out"))


def test_a_folder_that_is_removed_during_a_run_is_reported_in_one_sentence(data, model, tmp_path, monkeypatch, caplog):
    def remove(video: Video) -> VideoScores:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return score(video)

    LocalRunner(remove).use_in("scorers", monkeypatch)
    data.write_list(["0.mp4", "1.mp4"])
    with pytest.raises(RunError, match=r"^\S+out/manifest\.rows cannot be written: it was removed or replaced during"):
        evaluate(settings(data, model, tmp_path / "out"))
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert not (tmp_path / "out").exists()
