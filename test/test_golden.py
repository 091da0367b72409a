"""The arithmetic that decides the bytes of views is compared with figures recorded for its VIEW_FORMAT.

`python -m test.test_golden` records the figures of the present arithmetic under the present VIEW_FORMAT. Everything
but the interpolation of resized frames is exact arithmetic, the same on all processors: its digests must be equal.
Interpolation rounds differently with and without fused multiply-add, so its values are compared within TOLERANCE.
"""

import hashlib
import json
from typing import Any

import numpy as np
import pytest

from test.helpers import GOLDEN
from x3d.video import VIEW_FORMAT
from x3d.video.sampling import Header, Sampling, plan_clips
from x3d.video.transform import Transform, assemble_view, crop_offsets, prepare_frame, resized_size, source_coordinates

PATH = GOLDEN / "view_digests.json"
TOLERANCE = 2e-6
NUM_VALUES = 32

SIZES = [(256, 340), (340, 256), (144, 176), (97, 61), (270, 481)]
SHORT_SIDES = [160, 182, 256]
MEAN_STD = ((0.45, 0.41, 0.38), (0.225, 0.21, 0.27))
HEADERS = {
    "mp4": Header(30.0, 300, 153600),
    "29.97 fps": Header(30000 / 1001, 300, 300300),
    "no duration": Header(25.0, 0, None),
    "no count": Header(25.0, 0, 153600),
    "short": Header(30.0, 40, 20480),
}


def digest(*arrays: Any) -> str:
    """Hash arrays in C order, as little-endian bytes."""
    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()[:32]


def make_frames(num_frames: int, height: int, width: int) -> list[np.ndarray]:
    """Draw (H, W, 3) uint8 frames."""
    return list(np.random.RandomState(height * width).randint(0, 256, (num_frames, height, width, 3)).astype(np.uint8))


def make_view(frames: list[np.ndarray], transform: Transform, crop: int, sampling: Sampling) -> np.ndarray:
    """Make a view of the first clip of frames at 30 fps, (1, 3, T, C, C) float32."""
    num_frames = len(frames)
    plan = plan_clips(range(num_frames), Header(30.0, num_frames, num_frames), sampling)
    view = np.empty((1, 3, sampling.num_frames, transform.crop_size, transform.crop_size), dtype=np.float32)
    assemble_view([prepare_frame(frames[position], transform) for position in plan.positions[0]], crop, view)
    return view


def exact_digests() -> dict[str, str]:
    """Digest everything but the interpolation."""
    found = {}
    for name, header in HEADERS.items():
        pts = range(0, (header.num_frames or 300) * 512, 512) if name != "29.97 fps" else range(0, 300300, 1001)
        plans = [
            plan_clips(pts, header, Sampling(num_frames, rate, 30, num_clips, use_offset))
            for num_frames, rate in ((13, 6), (16, 5), (4, 12))
            for num_clips in (10, 1)
            for use_offset in (False, True)
        ]
        found[f"positions, {name}"] = digest(*(plan.positions for plan in plans))
    for short_side in SHORT_SIDES:
        sizes = [resized_size(*size, short_side) for size in SIZES]
        offsets = [crop_offsets(*size, short_side - 2, crop) for size in sizes for crop in range(3)]
        axes = [
            source_coordinates(*lengths)
            for old, new in zip(SIZES, sizes, strict=True)
            for lengths in zip(old, new, strict=True)
        ]
        found[f"sizes and crops, {short_side}"] = digest(np.array(sizes), np.array(offsets))
        found[f"coordinates, {short_side}"] = digest(*axes)
    for crop in range(3):
        for reverse in (False, True):
            transform = Transform(*MEAN_STD, 64, 62, 3, reverse)
            view = make_view(make_frames(20, 64, 90), transform, crop, Sampling(4, 2, 30, 2))
            found[f"view, not resized, crop {crop}, reversed {reverse}"] = digest(view)
    return found


def sampled_values() -> dict[str, list[float]]:
    """Take values of views of resized frames, at fixed places."""
    found = {}
    for size in SIZES:
        for short_side in (160, 182):
            transform = Transform(*MEAN_STD, short_side, short_side - 10, 3)
            view = make_view(make_frames(12, *size), transform, 2, Sampling(4, 2, 30, 2))
            at = np.random.RandomState(0).randint(0, view.size, NUM_VALUES)
            found[f"{size[0]}x{size[1]} to {short_side}"] = [float(f"{value:.9g}") for value in view.ravel()[at]]
    return found


def read_recorded() -> dict[str, Any]:
    return json.loads(PATH.read_text())


def test_the_format_number_changes_with_the_arithmetic():
    recorded = read_recorded()
    assert max(map(int, recorded)) == VIEW_FORMAT, "run `python -m test.test_golden` after raising VIEW_FORMAT"
    exact = recorded[str(VIEW_FORMAT)]["exact"]
    found = exact_digests()
    changed = [name for name in exact | found if exact.get(name) != found.get(name)]
    assert not changed, f"other bytes than those of VIEW_FORMAT {VIEW_FORMAT}; raise it, then record: {changed}"


def test_resized_values_are_those_of_the_format():
    recorded = read_recorded()[str(VIEW_FORMAT)]["values"]
    found = sampled_values()
    assert found.keys() == recorded.keys()
    for name, values in found.items():
        assert values == pytest.approx(recorded[name], abs=TOLERANCE), f"{name}: raise VIEW_FORMAT, then record"


def test_formats_differ_in_their_figures():
    recorded = [json.dumps(figures) for figures in read_recorded().values()]
    assert len(recorded) == len(set(recorded))


if __name__ == "__main__":
    figures = json.loads(PATH.read_text()) if PATH.exists() else {}
    if str(VIEW_FORMAT) in figures:
        raise SystemExit(f"{PATH} has the figures of VIEW_FORMAT {VIEW_FORMAT}: raise it first")
    figures[str(VIEW_FORMAT)] = {"exact": exact_digests(), "values": sampled_values()}
    PATH.write_text(json.dumps(figures, indent=1) + "\n")
