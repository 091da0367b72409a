import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.video import transform as module
from x3d.video.transform import (
    Transform,
    assemble_view,
    crop_offsets,
    prepare_frame,
    resized_size,
    source_coordinates,
    view_shape,
)

GREY = Transform(mean=(0.45,) * 3, std=(0.225,) * 3, short_side=182, crop_size=182, num_crops=3)


def by_torch(frame, transform):
    """Normalise, then resize with torch's bilinear interpolation: the reference's order and arithmetic."""
    pixels = torch.from_numpy(frame).float() / 255
    pixels = (pixels - torch.tensor(transform.mean)) / torch.tensor(transform.std)
    planes = pixels.permute(2, 0, 1)
    height, width = planes.shape[1:]
    if min(height, width) != transform.short_side:
        size = resized_size(height, width, transform.short_side)
        planes = F.interpolate(planes[None], size=size, mode="bilinear", align_corners=False)[0]
    return planes.flip(0).numpy() if transform.reverse_channels else planes.numpy()


SIZES = [(256, 340), (340, 256), (182, 320), (144, 176), (272, 640), (241, 181), (720, 1280), (1080, 1920), (48, 37)]


@pytest.mark.parametrize("short_side", [182, 256, 356])
@pytest.mark.parametrize("size", SIZES)
def test_frames_are_torchs_within_2e_6(size, short_side):
    frame = np.random.RandomState(0).randint(0, 256, (*size, 3)).astype(np.uint8)
    transform = Transform((0.45, 0.5, 0.4), (0.225, 0.2, 0.25), short_side, short_side, 3)
    assert np.abs(prepare_frame(frame, transform) - by_torch(frame, transform)).max() < 2e-6


def test_channels_are_reversed_after_standardising():
    frame = np.random.RandomState(0).randint(0, 256, (182, 200, 3)).astype(np.uint8)
    transform = Transform((0.1, 0.5, 0.9), (0.2, 0.3, 0.4), 182, 182, 3, reverse_channels=True)
    assert np.abs(prepare_frame(frame, transform) - by_torch(frame, transform)).max() < 2e-6


@pytest.mark.parametrize(
    ("size", "expected"),
    [((256, 340), (182, 241)), ((340, 256), (241, 182)), ((182, 999), (182, 999)), ((200, 200), (182, 182))],
)
def test_the_long_side_is_rounded_down(size, expected):
    assert resized_size(*size, 182) == expected


@pytest.mark.parametrize(
    ("size", "crop_size", "expected"),
    [
        ((182, 241), 182, [(0, 0), (0, 30), (0, 59)]),
        ((241, 182), 182, [(0, 0), (30, 0), (59, 0)]),
        ((182, 182), 182, [(0, 0), (0, 0), (0, 0)]),
        ((182, 183), 182, [(0, 0), (0, 1), (0, 1)]),
        ((182, 241), 160, [(11, 0), (11, 41), (11, 81)]),
        ((200, 200), 181, [(10, 0), (10, 10), (10, 19)]),
    ],
)
def test_hand_computed_crops(size, crop_size, expected):
    assert [crop_offsets(*size, crop_size, crop) for crop in range(3)] == expected


def test_a_view_is_the_crop_of_each_frame_in_order():
    frames = [np.arange(3 * 5 * 7, dtype=np.float32).reshape(3, 5, 7) + 1000 * time for time in range(4)]
    view = np.empty((1, 3, 4, 5, 5), dtype=np.float32)
    assemble_view(frames, crop=2, view=view)
    for time in range(4):
        assert (view[0, :, time] == frames[time][:, :, 2:7]).all()


@pytest.mark.parametrize(
    ("size", "new_size", "expected"),
    [(4, 8, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25]), (8, 4, [0.5, 2.5, 4.5, 6.5]), (6, 6, [0, 1, 2, 3, 4, 5])],
)
def test_hand_computed_source_coordinates(size, new_size, expected):
    coordinates = source_coordinates(size, new_size)
    assert coordinates.dtype == np.float32
    assert coordinates.tolist() == expected


@pytest.mark.parametrize(("num_crops", "crop_size", "crops"), [(1, 160, [1]), (2, 170, [0, 1]), (3, 170, [0, 1, 2])])
def test_one_crop_is_the_centre_of_a_frame_resized_to_the_jitter_scale(num_crops, crop_size, crops):
    keys = {
        "TEST.NUM_SPATIAL_CROPS": num_crops,
        "DATA.TEST_CROP_SIZE": crop_size,
        "DATA.TRAIN_JITTER_SCALES": [170, 228],
        "DATA.MEAN": [0.1, 0.2, 0.3],
        "DATA.STD": [0.4, 0.5, 0.6],
        "DATA.REVERSE_INPUT_CHANNEL": num_crops == 2,
    }
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"), [str(word) for key in keys.items() for word in key])
    transform = Transform.from_cfg(cfg)
    assert transform == Transform((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 170, crop_size, num_crops, num_crops == 2)
    assert transform.crops() == crops
    assert view_shape(cfg) == (3, 13, crop_size, crop_size)


def test_several_crops_fill_the_short_side():
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml")).clone()
    cfg.defrost()
    cfg.DATA.TEST_CROP_SIZE, cfg.DATA.TRAIN_JITTER_SCALES = 160, [182, 228]
    assert Transform.from_cfg(cfg).short_side == 160


def test_every_common_size_is_resized_at_once():
    for size in ((256, 340), (340, 256), (240, 320), (360, 480), (360, 640), (480, 640), (480, 854)):
        height, width = resized_size(*size, 182)
        assert module._has_exact_resize(*size, height, width)


@pytest.mark.parametrize("size", [(401, 376), (534, 169), (464, 310), (327, 475), (545, 8191), (120, 8192)])
@pytest.mark.parametrize("short_side", [182, 256])
def test_a_size_at_which_rounding_differs_is_resized_as_torch_does(size, short_side):
    """The inverse of a factor is not always the ratio, so that cv2.resize rounds a coordinate to another float32."""
    frame = np.random.RandomState(0).randint(0, 256, (*size, 3)).astype(np.uint8)
    chosen = Transform((0.45,) * 3, (0.225,) * 3, short_side, short_side, 3)
    assert np.abs(prepare_frame(frame, chosen) - by_torch(frame, chosen)).max() < 6e-6


def test_a_build_of_opencv_with_other_coordinates_is_not_trusted(monkeypatch):
    frame = np.random.RandomState(0).randint(0, 256, (250, 333, 3)).astype(np.uint8)
    real = cv2.resize

    def resize(pixels, size, fx, fy, interpolation):
        return real(pixels, (round(pixels.shape[1] * fx), round(pixels.shape[0] * fy)), interpolation=interpolation)

    monkeypatch.setattr(cv2, "resize", resize)
    module._has_exact_resize.cache_clear()
    assert not module._has_exact_resize(250, 333, 182, 242)
    assert np.abs(prepare_frame(frame, GREY) - by_torch(frame, GREY)).max() < 2e-6
    module._has_exact_resize.cache_clear()


def test_intels_library_is_switched_off_while_a_frame_is_resized(monkeypatch):
    used = []
    switched: list[bool] = []
    resize = cv2.resize
    monkeypatch.setattr(cv2.ipp, "useIPP", lambda: True)
    monkeypatch.setattr(cv2.ipp, "setUseIPP", switched.append)
    monkeypatch.setattr(cv2, "resize", lambda *given, **named: used.append(switched[-1]) or resize(*given, **named))
    prepare_frame(np.zeros((256, 340, 3), np.uint8), GREY)
    assert used
    assert not any(used)
    assert switched[-1]
