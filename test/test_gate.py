"""The gate of docs/results.md, as it stands there: what it ends with, what it keeps, and what it scores again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import x3d_pth2onnx
from demo.small import SMALL
from test.helpers import ROOT, Dataset
from test.videos import write_video
from x3d.pipeline.compare import read_complete
from x3d.pipeline.postprocess import ScoringSettings

PAGE = (ROOT / "docs" / "results.md").read_text()
[GATE] = re.findall(r"```bash\n(#!/usr/bin/env bash\n# gate.sh.*?)```", PAGE, flags=re.DOTALL)


def write_cfg(path: Path) -> None:
    """Write the small network's keys, with the folder of the videos."""
    sections: dict[str, dict[str, object]] = {}
    for name, value in [*zip(SMALL[::2], SMALL[1::2], strict=True), ("DATA.PATH_PREFIX", "Kinetics-400/val/")]:
        section, key = name.split(".")
        sections.setdefault(section, {})[key] = yaml.safe_load(value)
    path.write_text(yaml.safe_dump({"_BASE_": str(ROOT / "configs/X3D_S.yaml"), **sections}))


@pytest.fixture
def gate(small_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that runs the script in a folder as a clone has it: exit status, stdout and stderr."""
    for name in ("x3d", "x3d_evaluate.py", "x3d_compare.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    videos = {f"class {n % 3}/{n}.mp4": {"num_frames": 40 + 7 * n, "width": 64 + 8 * n} for n in range(10)}
    data = Dataset(tmp_path / "Kinetics-400").write_videos(videos)
    (tmp_path / "smoke").mkdir()
    data.list_path.rename(tmp_path / "smoke" / "test.csv")
    write_cfg(tmp_path / "kinetics.yaml")
    shutil.copy(small_onnx, tmp_path / "reference.onnx")
    shutil.copy(small_onnx, tmp_path / "same.onnx")
    monkeypatch.chdir(tmp_path)
    Path("gate.sh").write_text(GATE)

    def run(candidate: str) -> subprocess.CompletedProcess[str]:
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "gate.sh", candidate],
            env={**os.environ, "PATH": path},
            check=False,
            capture_output=True,
            text=True,
        )

    return run


def write_rolled(checkpoint: Path, path: Path) -> None:
    """Export the network with its classes in another order."""
    content = torch.load(checkpoint, weights_only=False)
    for leaf in ("weight", "bias"):
        name = f"head.projection.{leaf}"
        content["model_state"][name] = content["model_state"][name].roll(1, 0)
    torch.save(content, path.with_suffix(".pyth"))
    keys = ["TEST.CHECKPOINT_FILE_PATH", str(path.with_suffix(".pyth")), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(path)]
    assert x3d_pth2onnx.main([*SMALL, *keys]) == 0


def test_the_same_model_is_undecided_on_few_videos_and_nothing_is_scored_twice(gate):
    first = gate("same.onnx")
    assert first.returncode == 3, first.stderr
    assert '"verdict": "UNDECIDED"' in first.stdout
    assert {"junit.xml", "summary.md"} <= set(os.listdir("gate"))
    again = gate("same.onnx")
    assert again.returncode == 3
    assert again.stderr.count("10 videos of smoke/test.csv, 0 to do") == 2


def test_a_changed_video_is_scored_again_for_the_reference_too(gate):
    gate("same.onnx")
    write_video(Path("Kinetics-400/val/class 1/4.mp4"), 50, width=96)
    changed = gate("same.onnx")
    assert changed.returncode == 3
    assert changed.stderr.count("10 videos of smoke/test.csv, 1 to do") == 2
    assert '"lost": 0, "gained": 0' in changed.stdout


def label_by_reference() -> None:
    """Give each video the class that the reference predicts, and forget the scores."""
    table = read_complete("cache/reference", ScoringSettings(num_classes=9))
    rows = Path("smoke/test.csv").read_text().splitlines()
    labels = dict(zip(table.videos.tolist(), table.scores.argmax(axis=1).tolist(), strict=True))
    Path("smoke/test.csv").write_text("".join(f"{row[:-2]} {labels[n]}\n" for n, row in enumerate(rows)))
    shutil.rmtree("cache")


def test_a_candidate_with_other_classes_fails(gate, small_checkpoint):
    gate("same.onnx")
    label_by_reference()
    write_rolled(small_checkpoint, Path("rolled.onnx"))
    failed = gate("rolled.onnx")
    assert failed.returncode == 1, failed.stderr
    assert '"verdict": "FAIL"' in failed.stdout
    rejected = gate("same.onnx")
    assert rejected.returncode == 2
    assert "cache/candidate/manifest.json has another provenance: model_digest was" in rejected.stderr


def test_a_video_that_fails_is_no_verdict(gate):
    gate("same.onnx")
    Path("Kinetics-400/val/class 1/4.mp4").write_bytes(b"no video")
    failed = gate("same.onnx")
    assert failed.returncode == 2
    assert "class 1/4.mp4" in failed.stderr
    assert not Path("gate").exists()
