"""float32 views for an .om that takes float16, as ais_bench's own front end recorded them on stand-ins for aclruntime.

The front end (Ascend/tools, ais_bench of 2023) ran six views through models of batch size 4 with a float16 input.
"""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from x3d.dataset.annotations import Video
from x3d.pipeline.postprocess import ScoringSettings, read_table
from x3d.scoring.outputs import Outputs
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.split_views import has_split_views
from x3d.video.source import Source

NAMES = ["0_0", "1_0", "2_1", "3_1", "4_2", "5_2"]
TIMES = [0.12037999840686098, 0.036735000321641564, 0.023325002985075116]
FLOAT32_VIEWS = {
    "filesinfo": {
        str(number): {"infiles": [f"prep_data/{name}.npy"], "outfiles": [f"./result_bs4/{name}_0.bin"]}
        for number, name in enumerate(NAMES)
    },
    "args": [
        *("/opt/ais_bench/__main__.py", "--model", "x.om", "--input", "prep_data", "--output", "./"),
        *("--output_dirname", "result_bs4", "--batchsize", "4"),
    ],
    "NPU_compute_time": {"min": TIMES[2], "max": TIMES[0], "mean": 0.06014666723785922, "count": 3},
    "throughput": 66504.1004546667,
    "npu_compute_time_list": TIMES,
}
"""Two files filled a batch of four: three batches."""
FLOAT16_VIEWS = FLOAT32_VIEWS | {
    "NPU_compute_time": {"mean": 0.0678114993206691, "count": 2},
    "throughput": 58987.045561176536,
}
"""Four files filled a batch of four: two batches."""
SETTINGS = ScoringSettings(num_classes=3, num_clips=2, num_crops=1, outputs=Outputs.LOGITS, class_names=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results of three classes, each of two rows of float16 logits, as long as one row of float32."""
    (tmp_path / "result_bs4").mkdir()
    for number, name in enumerate(NAMES):
        logits = np.random.RandomState(number).standard_normal((2, 3)).astype(np.float16)
        logits.tofile(tmp_path / "result_bs4" / f"{name}_0.bin")
    return tmp_path / "result_bs4"


def write_records(folder: Path, summary: dict[str, Any], dtype: str = "") -> None:
    (folder.parent / "result_bs4_summary.json").write_text(json.dumps(summary))
    config: dict[str, int | str] = {"TEST.NUM_ENSEMBLE_VIEWS": 2, "TEST.NUM_SPATIAL_CROPS": 1}
    config |= {"X3D_PREPROCESS.DTYPE": dtype} if dtype else {}
    (folder.parent / "prep_data").mkdir()
    provenance = {"config": config, "num_videos": 3, "views_per_video": 2}
    manifest = Manifest(folder.parent / "prep_data" / "manifest.json", provenance)
    for index in range(3):
        views = WrittenViews(["0" * 16, "1" * 16], Source(1, 2, 3))
        manifest.record_done(Video(index, f"{index}.mp4", "", index), views)
    manifest.save()


@pytest.mark.parametrize("dtype", ["float32", ""])
def test_results_of_halves_of_views_are_not_scored(dtype, folder):
    write_records(folder, FLOAT32_VIEWS, dtype)
    match = (
        r"result_bs4_summary\.json counts twice the batches that its files fill: either the \.om takes float16, and "
        r"ais_bench cut the float32 views that .*prep_data/manifest\.json records in two, or --batchsize was twice the "
        r"\.om's; infer again with views of X3D_PREPROCESS\.DTYPE float16"
    )
    with pytest.raises(ValueError, match=match):
        read_table(str(folder), SETTINGS)


@pytest.mark.parametrize(
    ("summary", "dtype"), [(FLOAT16_VIEWS, "float16"), (FLOAT16_VIEWS, "float32"), (FLOAT32_VIEWS, "float16")]
)
def test_results_of_whole_views_are_scored(summary, dtype, folder):
    write_records(folder, summary, dtype)
    assert read_table(str(folder), SETTINGS).videos.tolist() == [0, 1, 2]


def test_every_device_is_checked(folder):
    write_records(folder, FLOAT32_VIEWS, "float32")
    (folder.parent / "result_bs4_summary.json").unlink()
    halves = [dict(list(FLOAT32_VIEWS["filesinfo"].items())[part]) for part in (slice(0, 1), slice(1, 6))]
    for device, files in enumerate(halves):
        summary = (FLOAT16_VIEWS if device == 0 else FLOAT32_VIEWS) | {"filesinfo": files}
        (folder / f"device{device}_summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=r"device1_summary\.json counts twice the batches"):
        read_table(str(folder), SETTINGS)


def summary_of(num_files: int, batch_size: int, num_batches: int, *args: str) -> dict[str, Any]:
    return {
        "filesinfo": {str(number): {} for number in range(num_files)},
        "args": ["ais_bench", *args],
        "NPU_compute_time": {"mean": 20.7, "count": num_batches},
        "throughput": 1000 * batch_size / 20.7,
    }


@pytest.mark.parametrize(
    ("num_files", "batch_size", "num_batches", "args", "expected"),
    [
        (30, 8, 4, (), False),
        (30, 8, 8, (), True),
        (30, 8, 8, ("--loop", "2"), False),
        (30, 8, 16, ("--loop", "2"), True),
        (30, 8, 16, ("-l=2",), True),
        (30, 8, 400, ("--model", "a", "--loop", "100", "--batchsize", "8"), False),
        (30, 2, 30, (), True),
        (30, 1, 30, (), False),
        (30, 8, 30, (), False),
        (30, 3, 20, (), False),
        (4, 8, 1, (), False),
        (5, 8, 2, (), True),
    ],
)
def test_twice_the_batches_are_noticed(num_files, batch_size, num_batches, args, expected):
    assert has_split_views(summary_of(num_files, batch_size, num_batches, *args)) is expected


@pytest.mark.parametrize("key", ["args", "NPU_compute_time", "throughput"])
@pytest.mark.parametrize("value", ["absent", None, "x", 3, [3], {}, float("inf"), float("nan"), 10**400])
def test_a_summary_of_another_form_shows_nothing(key, value):
    summary = copy.deepcopy(FLOAT32_VIEWS)
    if value == "absent":
        del summary[key]
    else:
        summary[key] = value
    assert has_split_views(summary) is (key == "args" and isinstance(value, str | list | dict) and value != "absent")
