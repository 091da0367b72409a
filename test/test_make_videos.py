"""demo/make_videos.py and demo/scenes.py: the shape of the set, and that each class moves and looks as it is named."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from demo import train
from demo.make_videos import clip_rows, main
from demo.scenes import (
    CLASSES,
    DIRECTIONS,
    HEIGHT,
    MOTIONS,
    SPRITE_SIDE,
    WIDTH,
    Pose,
    Thing,
    draw,
    make_scene,
    render,
)
from x3d.config.loading import get_cfg
from x3d.dataset.annotations import read_list
from x3d.video.reader import VideoReader


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("made")
    assert main([str(path), "--num", "2", "--seed", "5"]) == 0
    return path


def test_list_and_files_have_kinetics_shape(folder):
    cfg = get_cfg()
    cfg.DATA.PATH_TO_DATA_DIR, cfg.DATA.PATH_PREFIX = str(folder), str(folder / "val")
    videos = read_list(cfg)
    assert len(videos) == 2
    for video in videos:
        assert video.listed.startswith(f"{CLASSES[video.label]}/")
        assert " " in video.listed
        with VideoReader(video.path) as reader:
            stream = reader.stream
        assert (stream.codec, stream.width, stream.height) == ("h264", 340, 256)
        assert (stream.header.fps, stream.header.num_frames, stream.duration_seconds) == (30.0, 300, 10.0)


def test_encoded_frames_are_the_rendered_ones(folder):
    path, label = clip_rows(2, 5)[1]
    scene = make_scene(label, np.random.default_rng((5, 1)))
    with VideoReader(str(folder / "val" / path)) as reader:
        frames = [frame.to_ndarray(format="rgb24") for _, frame in zip(range(31), reader.frames(), strict=False)]
    assert np.abs(frames[30].astype(int) - render(scene, 1.0)).mean() < 4
    assert np.abs(frames[0].astype(int) - render(scene, 1.0)).mean() > 4


def test_same_seed_gives_the_same_files(folder, tmp_path):
    assert main([str(tmp_path), "--num", "2", "--seed", "5"]) == 0
    first, second = (
        [hashlib.sha256(path.read_bytes()).digest() for path in sorted(root.rglob("*.*"))]
        for root in (folder, tmp_path)
    )
    assert first == second


def test_what_a_seed_draws_stays_the_same():
    """The demo's checkpoint was trained on such clips."""
    drawn = []
    for label in range(len(CLASSES)):
        random = np.random.default_rng(9)
        things = make_scene(label, random).things
        poses = [[round(value, 6) for value in dataclasses.astuple(thing.pose(1.5))] for thing in things]
        drawn.append([poses, random.integers(1_000_000).item()])
    assert hashlib.sha256(json.dumps(drawn).encode()).hexdigest().startswith("b4ab3e7f7b095d65")


def test_classes_are_as_frequent_as_they_can_be():
    labels = [label for _, label in clip_rows(40, 3)]
    counts = np.bincount(labels, minlength=len(CLASSES))
    assert set(counts) == {2, 3}
    assert labels[:16] != sorted(labels[:16])
    assert clip_rows(40, 3) != clip_rows(40, 4)


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_things_move_and_look_as_named(label):
    motion, hue = CLASSES[label].rsplit(" ", 1)
    for thing in make_scene(label, np.random.default_rng(9)).things:
        steps = np.diff([dataclasses.astuple(thing.pose(number / 30)) for number in range(300)], axis=0)
        x, y, diameter, angle = np.sign(np.median(steps, axis=0)[:4])
        assert (x, y) == DIRECTIONS.get(motion, (0, 0))
        assert diameter == {"growing": 1, "shrinking": -1}.get(motion, 0)
        assert angle == {"turning clockwise": 1, "turning counter-clockwise": -1}.get(motion, 0)
        red, _, blue = thing.picture.reshape(-1, 3).mean(axis=0)
        assert (red > blue) == (hue == "red")


def test_positive_angles_are_clockwise_on_the_screen():
    """A mark at the right goes to the bottom."""
    picture = np.zeros((SPRITE_SIDE, SPRITE_SIDE, 3), dtype=np.uint8)
    picture[SPRITE_SIDE // 2 - 10 : SPRITE_SIDE // 2 + 10, -20:] = 255
    thing = Thing(picture, np.ones((SPRITE_SIDE, SPRITE_SIDE), dtype=np.float32), lambda seconds: Pose(0, 0, 0))
    frame = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    draw(frame, thing, Pose(170, 128, 100, angle=90))
    row, column = np.argwhere(frame[:, :, 0] > 128).mean(axis=0)
    assert row > 160
    assert abs(column - 170) < 3


@pytest.mark.parametrize(
    ("table", "seen"),
    [
        (train.BACKWARDS, lambda x, y: (-x, -y)),
        (train.MIRRORED, lambda x, y: (-x, y)),
        (train.FLIPPED, lambda x, y: (x, -y)),
        (train.TRANSPOSED, lambda x, y: (y, x)),
    ],
)
def test_changed_clips_are_of_the_class_they_look_like(table, seen):
    for number, motion in enumerate(MOTIONS):
        other = MOTIONS[table[number]]
        assert table[table[number]] == number
        if motion in DIRECTIONS:
            assert DIRECTIONS[other] == seen(*DIRECTIONS[motion])
        elif motion in ("growing", "shrinking"):
            assert (other != motion) == (table == train.BACKWARDS)
        else:
            assert other != motion
