"""demo/hard_scenes.py and make_videos --hard: clips of their classes, of which the demo's network gets four in five."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import x3d_evaluate
import x3d_pth2onnx
from demo.hard_scenes import (
    MAX_DIFFICULTY,
    MAX_NOISE,
    MAX_OTHERS,
    MIN_CONTRAST,
    MIN_SPEED,
    HardScene,
    cells_by_distance,
    make_hard_scene,
    render_hard,
)
from demo.make_videos import clip_rows, main
from demo.scenes import CLASSES, DIRECTIONS, HEIGHT, WIDTH, Scene, Thing, render
from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.dataset.class_names import ClassNames

CFG = str(ROOT / "configs/X3D_DEMO.yaml")


def class_of(thing: Thing) -> str:
    """Name the class that a thing looks like."""
    steps = np.diff([dataclasses.astuple(thing.pose(number / 30)) for number in range(60)], axis=0)
    x, y, diameter, angle, _ = np.sign(np.median(steps, axis=0))
    along = {direction: motion for motion, direction in DIRECTIONS.items()}
    red, _, blue = thing.picture.reshape(-1, 3).mean(axis=0)
    motion = along.get((x, y)) or {1: "growing", -1: "shrinking"}.get(diameter)
    turning = "turning clockwise" if angle > 0 else "turning counter-clockwise"
    return f"{motion or turning} {'red' if red > blue else 'blue'}"


@pytest.fixture(scope="module")
def scenes() -> list[HardScene]:
    """Scene of label n % 16, for n up to 31."""
    return [make_hard_scene(number % 16, np.random.default_rng((3, number))) for number in range(32)]


def files_of(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.mp4")
    }


def test_a_seed_decides_the_clips_and_they_are_not_the_easy_ones(tmp_path):
    for name, *options in (("easy",), ("first", "--hard"), ("again", "--hard"), ("other", "--hard")):
        seed = "6" if name == "other" else "5"
        assert main([str(tmp_path / name), "--num", "2", "--seed", seed, *options]) == 0
    easy, first, again, other = (files_of(tmp_path / name) for name in ("easy", "first", "again", "other"))
    assert first == again
    assert first.keys() == easy.keys()
    assert len({*first.values(), *easy.values(), *other.values()}) == 6
    assert (tmp_path / "first" / "test.csv").read_bytes() == (tmp_path / "easy" / "test.csv").read_bytes()


def test_the_names_of_the_classes_lie_beside_the_list(tmp_path):
    assert main([str(tmp_path), "--num", "1", "--hard"]) == 0
    names = ClassNames.from_cfg(load_cfg(CFG, ["DATA.CLASS_NAMES", str(tmp_path / "classes.txt")]))
    assert names.names == list(CLASSES)
    [(path, label)] = clip_rows(1, 0)
    assert path.startswith(f"{names.name(label)}/")


def test_most_things_are_of_the_class_and_the_others_of_one_other(scenes):
    for number, hard in enumerate(scenes):
        things = [class_of(thing) for thing in hard.scene.things]
        others = set(things[: hard.num_others])
        assert set(things[hard.num_others :]) == {CLASSES[number % 16]}
        assert len(others) == bool(hard.num_others)
        assert CLASSES[number % 16] not in others
        assert len(things) == 24 > 2 * hard.num_others


def test_the_others_are_around_one_point():
    assert cells_by_distance(0.6, 3.6)[:3] == [18, 19, 12]
    assert sorted(cells_by_distance(3, 2)) == list(range(24))


def test_clips_are_of_all_difficulties(scenes):
    for shares in (
        [(1 - hard.speed) / (1 - MIN_SPEED) for hard in scenes],
        [(1 - hard.contrast) / (1 - MIN_CONTRAST) for hard in scenes],
        [hard.noise.std() / MAX_NOISE for hard in scenes],
        [hard.num_others / MAX_OTHERS for hard in scenes],
    ):
        ordered = np.sort(shares) / MAX_DIFFICULTY
        assert 0 <= ordered[0] < 0.25
        assert 0.7 < ordered[-1] <= 1.06
        assert 0.2 < ordered[16] < 0.8


def test_a_frame_is_drawn_slower_fainter_and_with_noise(scenes):
    scene = scenes[0].scene
    plain = HardScene(scene, 0.5, 1.0, np.zeros((2 * HEIGHT, 2 * WIDTH), np.float32), 7, 0)
    np.testing.assert_array_equal(render_hard(plain, 2.0), render(scene, 1.0))
    faint = dataclasses.replace(plain, contrast=0.5)
    expected = 128 + (render(scene, 1.0).astype(float) - 128) / 2
    assert np.abs(render_hard(faint, 2.0) - expected).max() < 1
    grey = Scene(np.full((HEIGHT, WIDTH, 3), 128, np.uint8), [])
    noise = 4 * np.random.default_rng(1).standard_normal((2 * HEIGHT, 2 * WIDTH), dtype=np.float32)
    noisy = dataclasses.replace(plain, scene=grey, noise=noise)
    frames = [render_hard(noisy, seconds).astype(float) for seconds in (0.0, 1 / 30, 0.0)]
    np.testing.assert_array_equal(frames[0], frames[2])
    assert 5 < (frames[0] - frames[1]).std() < 6.5
    assert 3.8 < frames[0].std() < 4.2


def test_the_demos_network_is_right_about_four_of_five(tmp_path, capsys):
    onnx, out = tmp_path / "x3d.onnx", tmp_path / "eval"
    assert main([str(tmp_path / "data"), "--num", "48", "--seed", "11", "--hard"]) == 0
    keys = ["TEST.CHECKPOINT_FILE_PATH", str(ROOT / "demo/x3d_demo.pyth"), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(onnx)]
    assert x3d_pth2onnx.main(["--cfg", CFG, *keys]) == 0
    keys = ["DATA.PATH_TO_DATA_DIR", str(tmp_path / "data"), "DATA.PATH_PREFIX", str(tmp_path / "data/val")]
    keys += ["X3D_EVALUATE.MODEL_PATH", str(onnx), "X3D_EVALUATE.OUTPUT_PATH", str(out)]
    assert x3d_evaluate.main(["--cfg", CFG, *keys]) == 0
    assert 70 <= float(json.loads(capsys.readouterr().out.splitlines()[-1])["top1_acc"]) <= 90
