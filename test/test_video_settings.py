"""What preprocessing and evaluation have in common is read once, alike for both."""

import dataclasses

import pytest

from test.helpers import ROOT, Dataset, evaluate_keys, preprocess_keys
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.errors import InputError
from x3d.pipeline.evaluate_settings import EvaluateSettings
from x3d.pipeline.preprocess import PreprocessSettings
from x3d.pipeline.video_settings import VideoSettings

S = str(ROOT / "configs/X3D_S.yaml")
FIELDS = [field.name for field in dataclasses.fields(VideoSettings)]


@pytest.fixture
def data(tmp_path):
    return Dataset(tmp_path / "data").write_videos({"a/0.mp4": {"num_frames": 40}, "a/1.mp4": {"num_frames": 40}})


def test_both_runs_have_the_same_values(data, tmp_path):
    keys = evaluate_keys(data, tmp_path / "x.onnx", tmp_path / "out", "X3D_WORKERS.ON_ERROR", "raise")
    cfg = load_cfg(S, keys + preprocess_keys(data, tmp_path / "views")[-2:])
    read = VideoSettings.read(cfg)
    assert [video.listed for video in read.videos] == ["a/0.mp4", "a/1.mp4"]
    assert (read.annotations, read.path_prefix) == (data.list_path, str(data.val))
    assert (read.view_shape, read.num_views, read.stop_at_first_failure) == ((3, 4, 40, 40), 30, True)
    for settings in (EvaluateSettings.from_cfg(cfg), PreprocessSettings.from_cfg(cfg)):
        assert [getattr(settings, name) for name in FIELDS] == [getattr(read, name) for name in FIELDS]


def test_given_videos_take_the_place_of_the_list(data, tmp_path):
    cfg = load_cfg(S, evaluate_keys(data, tmp_path / "x.onnx", tmp_path / "out"))
    data.list_path.unlink()
    with pytest.raises(InputError, match=r"test\.csv does not exist"):
        VideoSettings.read(cfg)
    videos = [Video(0, "b.mp4", str(tmp_path / "b.mp4"), -1)]
    assert VideoSettings.read(cfg, videos).videos is videos
