"""Scores of one video: its batches, their order, and the engine that a process keeps."""

import contextlib
import dataclasses
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, VideoError
from x3d.network.model_file import ModelFile
from x3d.pipeline import video_scorer as module
from x3d.pipeline.video_scorer import VideoScorer
from x3d.scoring.outputs import Outputs
from x3d.video.sampling import Sampling
from x3d.video.source import Source
from x3d.video.transform import Transform

VIDEO = Video(0, "a.mp4", "a.mp4", 0)
NUM_VIEWS = 6
SOURCE = Source(1, 2, 3)
READER: Any = types.SimpleNamespace(path="a.mp4", source=SOURCE, rotation=90, num_corrupt_frames=6)


class Engine:
    """Scores a view by its first value v: (v / 10, 1 - v / 10)."""

    name, device, precision, view_shape, num_classes = "standin", "CPU", "f32", (3, 1, 2, 2), 2
    input_dtype = "float32"

    def __init__(self, batch_size: int | None = None) -> None:
        self.batch_size = batch_size
        self.sizes: list[int] = []

    def infer(self, batch: np.ndarray) -> np.ndarray:
        assert batch.dtype == np.float32
        self.sizes.append(len(batch))
        values = batch[:, 0, 0, 0, 0]
        return np.stack([values / 10, 1 - values / 10], axis=1)


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every video has six views, the number of each as its values, in the places of the batch in turn."""

    def video_views(reader, sampling, transform, batch):
        for number in range(NUM_VIEWS):
            view = batch[number % len(batch)][None]
            view[:] = number
            yield number, view

    monkeypatch.setattr(module, "video_views", video_views)
    monkeypatch.setattr(module, "VideoReader", lambda path: contextlib.nullcontext(READER))
    monkeypatch.setattr(module, "read_model", lambda path: ModelFile(path, b"", b"", "digest"))
    module._open_once.cache_clear()


def scorer(small_cfg, batch_size: int = 4, method: str = "sum") -> VideoScorer:
    cfg = small_cfg.clone()
    cfg.defrost()
    cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS = 2, 3
    return VideoScorer(
        "x.onnx", "digest", "auto", "", "f32", 1, batch_size, Sampling.from_cfg(cfg), Transform.from_cfg(cfg), method
    )


@pytest.mark.parametrize(
    ("batch_size", "fixed", "sizes"),
    [(4, None, [4, 2]), (6, None, [6]), (8, None, [6]), (1, None, [1] * 6), (3, None, [3, 3]), (4, 4, [4, 4])],
)
def test_each_view_has_its_own_scores_whatever_the_batch(batch_size, fixed, sizes, small_cfg, views):
    engine = Engine(fixed)
    score = scorer(small_cfg, batch_size)
    scores = score.view_scores(READER, engine, score.sampling)
    assert engine.sizes == sizes
    assert scores.dtype == np.float32
    expected = [[number / 10, 1 - number / 10] for number in range(NUM_VIEWS)]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize(("method", "expected"), [("sum", [1.5, 4.5]), ("max", [0.5, 1])])
def test_a_call_aggregates_and_opens_the_engine_once(method, expected, small_cfg, views, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "open_engine", lambda *given: opened.append(given) or Engine())
    score = scorer(small_cfg, method=method)
    for _ in range(3):
        found = score(VIDEO)
        np.testing.assert_allclose(found.scores, expected, rtol=1e-6)
        assert found.view_classes.tolist() == [1, 1, 1, 1, 1, 0]
        np.testing.assert_allclose(found.view_probabilities, [1, 0.9, 0.8, 0.7, 0.6, 0.5], rtol=1e-6)
        if method == "sum":
            assert found.means is None
        else:
            np.testing.assert_allclose(found.means, [0.25, 0.75], rtol=1e-6)
        assert (found.source, found.rotation, found.corrupt_frames) == (SOURCE, 90, 6)
    assert opened == [(ModelFile("x.onnx", b"", b"", "digest"), "auto", "", 1, "f32")]


@pytest.mark.parametrize(
    ("devices", "number", "device"),
    [("0,1,2", 0, "0"), ("0,1,2", 2, "2"), ("0,1,2", 4, "1"), ("cuda:0,cuda:3", 7, "cuda:3"), ("5", 3, "5")],
)
def test_worker_i_opens_device_i_modulo_their_number(devices, number, device, small_cfg, views, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "worker_number", lambda: number)
    monkeypatch.setattr(module, "open_engine", lambda *given: opened.append(given[2]) or Engine())
    dataclasses.replace(scorer(small_cfg), device=devices)(VIDEO)
    assert opened == [device]


def test_the_engine_of_another_model_replaces_the_one_kept(small_cfg, views, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "open_engine", lambda *given: opened.append(given) or Engine())
    for path in ("x.onnx", "y.onnx", "x.onnx"):
        module._open_once(path, "digest", "auto", "", 1, "f32")
    assert len(opened) == 3, "one engine at a time is in memory"


def test_a_model_that_changed_since_the_start_stops_the_run(small_cfg, views, monkeypatch):
    monkeypatch.setattr(module, "open_engine", lambda *given: pytest.fail("opened"))
    monkeypatch.setattr(module, "read_model", lambda path: ModelFile(path, b"", b"", "another"))
    with pytest.raises(RunError, match=r"model x\.onnx has changed since the run started"):
        scorer(small_cfg)(VIDEO)


class Failing(Engine):
    def infer(self, batch: np.ndarray) -> np.ndarray:
        raise RuntimeError("device lost")


def test_an_engine_that_fails_is_opened_anew(small_cfg, views, monkeypatch):
    engines = iter([Failing(), Engine()])
    monkeypatch.setattr(module, "open_engine", lambda *given: next(engines))
    score = scorer(small_cfg)
    with pytest.raises(EngineError, match="engine standin failed on CPU: device lost"):
        score(VIDEO)
    np.testing.assert_allclose(score(VIDEO).scores, [1.5, 4.5], rtol=1e-6)


def test_a_bad_video_leaves_the_engine_open(small_cfg, views, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(module, "open_engine", lambda *given: opened.append(given) or Engine())
    score = scorer(small_cfg)

    def fail(reader, sampling, transform, batch):
        raise VideoError("damaged", "a.mp4")

    score(VIDEO)
    with monkeypatch.context() as patched:
        patched.setattr(module, "video_views", fail)
        with pytest.raises(VideoError):
            score(VIDEO)
    score(VIDEO)
    assert len(opened) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("outputs", list(Outputs))
def test_scores_that_are_not_finite_fail_the_video(value, outputs, small_cfg, views, monkeypatch):
    class Overflowing(Engine):
        def infer(self, batch: np.ndarray) -> np.ndarray:
            scores = super().infer(batch)
            scores[batch[:, 0, 0, 0, 0] == 3, 1] = value
            return scores

    monkeypatch.setattr(module, "open_engine", lambda *given: Overflowing())
    text = r"^a\.mp4: the model returned scores that are not finite \(view 3\)$"
    with pytest.raises(VideoError, match=text) as raised:
        dataclasses.replace(scorer(small_cfg), outputs=outputs)(VIDEO)
    assert raised.value.reason == "not_finite"


def test_the_file_of_the_video_is_decoded(small_cfg, views, monkeypatch):
    paths: list[str | Path] = []

    def reader(path):
        paths.append(path)
        return contextlib.nullcontext(READER)

    monkeypatch.setattr(module, "VideoReader", reader)
    monkeypatch.setattr(module, "open_engine", lambda *given: Engine())
    scorer(small_cfg)(Video(0, "listed.mp4", "folder/listed.mp4", 0))
    assert paths == ["folder/listed.mp4"]


class Logits(Engine):
    def infer(self, batch: np.ndarray) -> np.ndarray:
        return np.log(super().infer(batch + 0.5))


def test_a_model_that_returns_logits_stops_the_run_unless_a_softmax_is_wanted(small_cfg, views, monkeypatch):
    monkeypatch.setattr(module, "open_engine", lambda *given: Logits())
    score = scorer(small_cfg)
    match = r"^the output of model x\.onnx for a\.mp4, view 0, holds scores that are not probabilities .*SOFTMAX True"
    with pytest.raises(RunError, match=match):
        score(VIDEO)
    found = dataclasses.replace(score, outputs=Outputs.LOGITS)(VIDEO).scores
    np.testing.assert_allclose(found, [1.8, 4.2], rtol=1e-5)
