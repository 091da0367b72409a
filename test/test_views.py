"""Views beside PySlowFast's figures, and beside its rules written down with torch."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from test.helpers import ROOT, read_golden
from test.test_sampling import by_the_book
from test.videos import write_video
from x3d.config.loading import load_cfg
from x3d.video import views
from x3d.video.reader import VideoReader
from x3d.video.sampling import Header, Sampling, plan_clips
from x3d.video.transform import Transform, assemble_view
from x3d.video.views import video_views

SAMPLES = ["bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4"]
ONE_CROP = ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160"]
OFFSET = ["DATA.USE_OFFSET_SAMPLING", "True"]
KEYS = {
    "three crops": [],
    "one crop": ONE_CROP,
    "two crops": ["TEST.NUM_SPATIAL_CROPS", "2"],
    "offset sampling": OFFSET,
    "one clip, one crop": [*ONE_CROP, "TEST.NUM_ENSEMBLE_VIEWS", "1"],
    "one clip, offset sampling": [*OFFSET, *ONE_CROP, "TEST.NUM_ENSEMBLE_VIEWS", "1"],
    "channels reversed": ["DATA.REVERSE_INPUT_CHANNEL", "True", "DATA.MEAN", "[0.4, 0.5, 0.6]"],
}
"""By name, what differs from configs/X3D_S.yaml."""


def load_s(keys=()):
    return load_cfg(str(ROOT / "configs/X3D_S.yaml"), list(keys))


@pytest.mark.parametrize("name", SAMPLES)
def test_views_are_pyslowfasts(name, sample_videos):
    golden = read_golden("slowfast_views.json")["clips"][name]
    at = np.random.RandomState(0).randint(0, 3 * 13 * 182 * 182, 256)
    cfg = load_s()
    sampling = Sampling.from_cfg(cfg)
    with VideoReader(str(sample_videos / name)) as reader:
        pts = [frame.pts for frame in reader.frames()]
        plan = plan_clips(pts, reader.stream.header, sampling)
        made = [(number, view.copy()) for number, view in video_views(reader, sampling, Transform.from_cfg(cfg))]
    assert [number for number, _ in made] == list(range(30))
    for (number, view), expected in zip(made, golden, strict=True):
        assert [pts[position] for position in plan.positions[number // 3]] == expected["pts"]
        assert (view.shape, view.dtype) == ((1, 3, 13, 182, 182), np.float32)
        assert np.abs(view.ravel()[at] - np.array(expected["values"])).max() < 1e-5
        assert view.mean(dtype=np.float64) == pytest.approx(expected["mean"], abs=1e-5)
        assert view.std(dtype=np.float64) == pytest.approx(expected["std"], abs=1e-5)


def view_by_torch(frames, crop, cfg):
    """Apply REFERENCE's transform with torch: scale, standardise, resize, crop.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
    Returns:
        (3, T, C, C) float32.
    """
    clip = (torch.from_numpy(frames).float() / 255 - torch.tensor(cfg.DATA.MEAN)) / torch.tensor(cfg.DATA.STD)
    clip = clip.permute(3, 0, 1, 2)
    side = cfg.DATA.TEST_CROP_SIZE
    short = side if cfg.TEST.NUM_SPATIAL_CROPS > 1 else cfg.DATA.TRAIN_JITTER_SCALES[0]
    height, width = clip.shape[2:]
    if width < height:
        size = (math.floor(height / width * short), short)
    else:
        size = (short, math.floor(width / height * short))
    clip = F.interpolate(clip, size=size, mode="bilinear", align_corners=False)
    top, left = (math.ceil((length - side) / 2) for length in size)
    place = {"left": 0, "right": max(size) - side}
    if crop in place:
        top, left = (place[crop], left) if size[0] > size[1] else (top, place[crop])
    clip = clip[:, :, top : top + side, left : left + side]
    return (clip.flip(0) if cfg.DATA.REVERSE_INPUT_CHANNEL else clip).numpy()


CROPS = {1: ["centre"], 2: ["left", "centre"], 3: ["left", "centre", "right"]}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("name", ["bikes.mp4", "carphone_pristine.mp4"])
def test_views_are_those_of_the_rules(name, keys, sample_videos):
    cfg = load_s(keys)
    crops = CROPS[cfg.TEST.NUM_SPATIAL_CROPS]
    with VideoReader(str(sample_videos / name)) as reader:
        decoded = [(frame.pts, frame.to_rgb().to_ndarray()) for frame in reader.frames()]
        book = Sampling(13, 6, 30, cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.DATA.USE_OFFSET_SAMPLING)
        rows = by_the_book([pts for pts, _ in decoded], reader.stream.header, book)
        numbers = []
        for number, view in video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg)):
            numbers.append(number)
            frames = np.stack([decoded[position][1] for position in rows[number // len(crops)]])
            expected = view_by_torch(frames, crops[number % len(crops)], cfg)
            assert np.abs(view[0] - expected).max() < 1e-5
    assert numbers == list(range(cfg.TEST.NUM_ENSEMBLE_VIEWS * len(crops)))


CLIPS = {
    "demo.mp4": (Header(28.0, 280, 143360), range(0, 143360, 512)),
    "part_0.mp4": (Header(30.0, 32, 16384), [*range(0, 15872, 512), 16384]),
}
"""Header and pts of the two videos, which are not part of the project, of slowfast_views1 and slowfast_viewsoffset."""


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize(("golden", "keys"), [("views1", ONE_CROP), ("viewsoffset", OFFSET)])
def test_clips_of_one_crop_and_of_offset_sampling_are_pyslowfasts(golden, keys, name):
    found = read_golden(f"slowfast_{golden}.json")
    cfg = load_s(keys)
    for key, value in found["keys"].items():
        section, name_in_section = key.split(".")
        assert cfg[section][name_in_section] == value
    header, pts = CLIPS[name]
    plan = plan_clips(pts, header, Sampling.from_cfg(cfg))
    num_crops = len(Transform.from_cfg(cfg).crops())
    views = found["clips"][name]
    assert len(views) == num_crops * len(plan.positions)
    for number, view in enumerate(views):
        assert [pts[position] for position in plan.positions[number // num_crops]] == view["pts"]


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize(("width", "height"), [(800, 48), (48, 800)])
def test_of_a_long_frame_only_the_crops_are_held_with_the_same_pixels(width, height, keys, tmp_path, monkeypatch):
    cfg = load_s(keys)
    path = str(write_video(tmp_path / "long.mp4", 30, width=width, height=height, options={"qp": "20"}))

    def read():
        with VideoReader(path) as reader:
            made = video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg))
            return [(number, view.copy()) for number, view in made]

    sizes = []
    monkeypatch.setattr(views, "assemble_view", lambda *args: sizes.append(args[0][0].shape) or assemble_view(*args))
    cropped = read()
    side = cfg.DATA.TEST_CROP_SIZE
    assert {max(size) for size in sizes} == {3 * side}
    monkeypatch.setattr(views, "LONG_FRAME", 100)
    whole = read()
    assert max(max(size) for size in sizes) > 2500
    assert [number for number, _ in cropped] == [number for number, _ in whole]
    assert all(np.array_equal(one, other) for (_, one), (_, other) in zip(cropped, whole, strict=True))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_ten_seconds_of_1080p_stay_below_600_mb(suffix, tmp_path):
    path = write_video(tmp_path / f"video{suffix}", 250, width=1920, height=1080, options={"preset": "ultrafast"})
    code = (
        "import sys\n"
        "from x3d.config.loading import load_cfg\nfrom x3d.video.sampling import Sampling\n"
        "from x3d.video.transform import Transform\n"
        "from x3d.video.reader import VideoReader\nfrom x3d.video.views import video_views\n"
        "cfg = load_cfg('configs/X3D_L.yaml')\n"
        "with VideoReader(sys.argv[1]) as reader:\n"
        "    print(sum(1 for _ in video_views(reader, Sampling.from_cfg(cfg), Transform.from_cfg(cfg))))\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    num_views, kilobytes = map(int, run.stdout.split())
    assert num_views == 30
    assert kilobytes < 600_000
