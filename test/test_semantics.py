"""The demo's score detects every mutation of the pipeline.

Fresh clips of demo/make_videos.py, encoded, go through the real reading of frames and the demo's checkpoint as ONNX.
Then one thing is spoilt at a time. Letters: N videos, V views a video, K classes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import x3d_pth2onnx
from demo.make_videos import make_videos
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import read_list
from x3d.dataset.naming import view_stem
from x3d.network.engine import open_engine
from x3d.network.model_file import read_model
from x3d.scoring import aggregate_views, count_top_k
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views

ROOT = Path(__file__).parent.parent
NUM_VIDEOS, SEED = 16, 2024
EXPECTED, DROP = 95.0, 20.0
"""Percent, and percentage points."""

MUTATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda views: views,
    "frames reversed": lambda views: views[:, :, ::-1],
    "channels swapped": lambda views: views[:, ::-1],
    "height and width transposed": lambda views: views.swapaxes(3, 4),
}
"""Each takes and gives (V, 3, T, C, C)."""


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores of every view, (N, V, K) float32, for each mutation; and the list's labels, (N,)."""
    folder = tmp_path_factory.mktemp("semantics")
    make_videos(str(folder), NUM_VIDEOS, SEED)
    keys = ["DATA.PATH_TO_DATA_DIR", str(folder), "DATA.PATH_PREFIX", str(folder / "val")]
    cfg_path = str(ROOT / "configs" / "X3D_DEMO.yaml")
    cfg = load_cfg(cfg_path, [*keys, "TEST.NUM_ENSEMBLE_VIEWS", "2"])

    model = str(folder / "demo.onnx")
    checkpoint = str(ROOT / "demo" / "x3d_demo.pyth")
    export = ["TEST.CHECKPOINT_FILE_PATH", checkpoint, "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", model]
    assert x3d_pth2onnx.main(["--cfg", cfg_path, *export]) == 0

    videos = read_list(cfg)
    found: dict[str, list[np.ndarray]] = {name: [] for name in MUTATIONS}
    engine = open_engine(read_model(model))
    for video in videos:
        with VideoReader(video.path) as reader:
            views = [view.copy() for _, view in video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg))]
        for name, mutate in MUTATIONS.items():
            found[name].append(engine.infer(np.ascontiguousarray(mutate(np.concatenate(views)))))
    return {name: np.stack(rows) for name, rows in found.items()}, np.array([video.label for video in videos])


def top1(views: np.ndarray, labels: np.ndarray) -> float:
    """Score (N, V, K) views in percent."""
    joined = np.stack([aggregate_views(video, "sum") for video in views])
    return 100 * count_top_k(joined, labels, 1) / len(labels)


def test_pipeline_as_it_is_scores_what_is_expected(scores):
    found, labels = scores
    assert top1(found["as it is"], labels) >= EXPECTED


@pytest.mark.parametrize("mutation", [name for name in MUTATIONS if name != "as it is"])
def test_frames_seen_wrong_cost_points(scores, mutation):
    found, labels = scores
    assert top1(found[mutation], labels) <= top1(found["as it is"], labels) - DROP


def test_labels_shifted_by_one_row_cost_points(scores):
    found, labels = scores
    assert top1(found["as it is"], np.roll(labels, 1)) <= top1(found["as it is"], labels) - DROP


def join_by_rank(listing: list[np.ndarray], labels: np.ndarray, num_views: int) -> float:
    """Score a listing of views, each (K,), cut into as many as a video has, against the list's rows in order."""
    whole = len(listing) // num_views
    return top1(np.stack(listing[: whole * num_views]).reshape(whole, num_views, -1), labels[:whole])


def test_views_aggregated_by_rank_in_a_listing_with_one_missing_cost_points(scores):
    """Names in the order of a directory listing are 0, 1, 10, 100, 101, ..."""
    found, labels = scores
    views = found["as it is"]
    num_views = views.shape[1]
    names = {
        view_stem(video * num_views + place, label): views[video, place]
        for video, label in enumerate(labels)
        for place in range(num_views)
    }
    listing = [names[name] for name in sorted(names)]
    del listing[len(listing) // 2]
    assert join_by_rank(listing, labels, num_views) <= top1(views, labels) - DROP


def test_views_aggregated_by_rank_with_one_video_missing_cost_points(scores):
    """In the order of their numbers. One view less would not show: of each video's views all but one stay its own."""
    found, labels = scores
    views = found["as it is"]
    listing = list(views[1:].reshape(-1, views.shape[2]))
    assert join_by_rank(listing, labels, views.shape[1]) <= top1(views, labels) - DROP
