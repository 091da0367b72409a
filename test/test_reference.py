"""x3d.patch, and PySlowFast's route beside the suite's own.

SLOWFAST_DIR names a checkout of PySlowFast 9839d13, patched or not; it is copied, never changed. Without it, a
`slowfast` that Python finds is used, and without either the comparisons are skipped.
"""

import ast
import importlib.abc
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode

import x3d_postprocess
import x3d_preprocess
import x3d_pth2onnx
from demo.synthetic import synthetic_state
from test.helpers import ROOT, SMALL
from x3d.config.keys import added_defaults
from x3d.config.keys import defaults as default_values
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.errors import VideoError
from x3d.network.checkpoint import check_own_layout, open_checkpoint
from x3d.network.engine import open_engine
from x3d.network.model import X3D, Architecture
from x3d.network.model_file import read_model
from x3d.slowfast import COMMIT, _load_views, check_reference
from x3d.storage.provenance import REFERENCE_DECODING, view_provenance
from x3d.video.source import read_source
from x3d.video.transform import view_shape

PATCH = ROOT / "x3d.patch"
TOLERANCE = 1e-5
APPLY = {"patch": ["patch", "-p1", "--batch", "--fuzz=0", "-i", str(PATCH)], "git": ["git", "apply", str(PATCH)]}
CLIPS = ["bikes.mp4", "carphone_pristine.mp4", "bigbuckbunny.mp4"]


def patch_nodes() -> dict[str, dict[str, object]]:
    """Read the nodes that the patch adds to PySlowFast's configuration."""
    added = "\n".join(line[1:] for line in PATCH.read_text().splitlines() if line.startswith("+"))
    start = added.index("X3D_NODES = ")
    return ast.literal_eval(added[start + len("X3D_NODES = ") : added.index("\n}\n", start) + 2])


def test_the_patch_adds_the_nodes_of_the_key_table():
    assert repr(patch_nodes()) == repr(added_defaults())


def test_the_patched_reference_has_the_keys_of_this_suite_beside_its_own():
    added = [line[1:] for line in PATCH.read_text().splitlines() if line.startswith("+")]
    [start] = [number for number, line in enumerate(added) if line.endswith("in X3D_NODES.items():")]
    config = CfgNode({"DATA": {"PATH_PREFIX": "videos"}})
    exec(
        "\n".join(line[4:] for line in added[start : start + 2]),
        {"X3D_NODES": patch_nodes(), "CfgNode": CfgNode, "_C": config},
    )
    assert config.DATA == {"PATH_PREFIX": "videos", "CLASS_NAMES": ""}
    assert dict(config.X3D_WORKERS) == added_defaults()["X3D_WORKERS"]
    assert isinstance(config.X3D_WORKERS, CfgNode)


def test_the_patch_names_the_commit_it_is_for():
    assert COMMIT in PATCH.read_text()


# PySlowFast that cannot be used


def fake_slowfast(folder: Path, files: dict[str, str]) -> None:
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "slowfast" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)


def defaults(schema: object) -> str:
    return (
        f"from fvcore.common.config import CfgNode\ndef get_cfg():\n    return CfgNode({schema!r}, new_allowed=False)\n"
    )


WITHOUT_NODES = {section: keys for section, keys in default_values().items() if not section.startswith("X3D_")}
KNOWN = {**default_values(), "NUM_GPUS": 8}
UNUSABLE = {
    "another project": ({}, "is not PySlowFast"),
    "no patch": ({"config/defaults.py": defaults(WITHOUT_NODES)}, r"without x3d\.patch; run: .*reset --hard .*patch"),
    "another patch": ({"config/defaults.py": defaults({**KNOWN, "X3D_WORKERS": {}})}, r"NUM.*of another commit"),
    "imports detectron2": (
        {
            "config/defaults.py": defaults(KNOWN),
            "datasets/loader.py": "raise ImportError('', name='detectron2.layers')",
        },
        "imports detectron2; run: patch",
    ),
    "misses a package": (
        {"config/defaults.py": defaults(KNOWN), "datasets/loader.py": "import no_such_package"},
        "pip install torch==.* no_such_package",
    ),
}


@pytest.fixture
def no_slowfast(monkeypatch):
    """Forget PySlowFast before and after a test."""
    for name in [name for name in sys.modules if name.split(".")[0] == "slowfast"]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "slowfast"]:
        del sys.modules[name]


class NoSlowFast(importlib.abc.MetaPathFinder):
    """Hide an installed PySlowFast from import."""

    def find_spec(self, name, path, target=None):
        if name == "slowfast":
            raise ModuleNotFoundError(name=name)


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_pyslowfast_is_an_error_that_names_the_command(kind, small_cfg, tmp_path, monkeypatch, no_slowfast):
    files, advice = UNUSABLE[kind]
    fake_slowfast(tmp_path, files)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=advice):
        check_reference(small_cfg)


@pytest.mark.parametrize("script", ["preprocess", "pth2onnx", "postprocess"])
def test_without_pyslowfast_nothing_starts(script, small_checkpoint, tmp_path, monkeypatch, caplog, no_slowfast):
    monkeypatch.setattr(sys, "meta_path", [NoSlowFast(), *sys.meta_path])
    for view in range(30):
        np.zeros(9, dtype=np.float32).tofile(tmp_path / f"{view}_3_0.bin")
    (tmp_path / "test.csv").write_text("0_3_0.bin 3\n")
    out = tmp_path / "out"
    keys = {
        "preprocess": [
            "DATA.PATH_TO_DATA_DIR",
            str(tmp_path),
            "DATA.PATH_PREFIX",
            str(tmp_path),
            "X3D_PREPROCESS.DATA_OUTPUT_PATH",
            str(out),
        ],
        "pth2onnx": [
            "X3D_PTH2ONNX.ONNX_OUTPUT_PATH",
            f"{out}.onnx",
            "TEST.CHECKPOINT_FILE_PATH",
            str(small_checkpoint),
        ],
        "postprocess": ["X3D_POSTPROCESS.OM_OUTPUT_PATH", str(tmp_path)],
    }[script]
    main = {"preprocess": x3d_preprocess, "pth2onnx": x3d_pth2onnx, "postprocess": x3d_postprocess}[script].main
    assert main([*SMALL, *keys, f"X3D_{script.upper()}.BACKEND", "slowfast"]) == 2
    for step in ("git clone", COMMIT, "patch -d SlowFast -p1 < x3d.patch", "PYTHONPATH"):
        assert step in caplog.text
    assert not list(tmp_path.glob("out*"))


def test_what_decides_the_views_of_pyslowfast_is_in_their_provenance(tmp_path, monkeypatch, no_slowfast):
    fake_slowfast(tmp_path, {"config/defaults.py": "", "datasets/kinetics.py": "", "models/x3d.py": ""})
    monkeypatch.syspath_prepend(tmp_path)

    def found() -> dict[str, str]:
        return view_provenance({}, [], 30, REFERENCE_DECODING)["versions"]

    before = found()
    assert before["torch"] == torch.__version__
    digests = [before["slowfast"]]
    for name, text in (("datasets/kinetics.py", "x = 1"), ("config/defaults.py", "x = 1"), ("datasets/more.py", "")):
        (tmp_path / "slowfast" / name).write_text(text)
        digests.append(found()["slowfast"])
    assert len(set(digests)) == 4
    (tmp_path / "slowfast" / "models" / "x3d.py").write_text("x = 1")
    assert found()["slowfast"] == digests[-1], "networks decide no view"


def test_a_video_replaced_while_pyslowfast_reads_it_has_no_views(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")
    video, source = Video(0, "a.mp4", str(path), 0), read_source(str(path))
    batch = [torch.zeros(1, 3, 4, 40, 40)], None, torch.tensor([7]), None
    views = _load_views([batch], video, io.StringIO(), source)
    assert next(views)[0] == 7
    path.write_bytes(b"after")
    with pytest.raises(VideoError, match="the file was replaced or written to while it was read"):
        next(views)
    assert [number for number, _ in _load_views([batch], video, io.StringIO(), read_source(str(path)))] == [7]


# PySlowFast that can be used


@pytest.fixture(scope="session")
def checkout() -> Path:
    """SLOWFAST_DIR of the environment."""
    folder = os.environ.get("SLOWFAST_DIR")
    if not folder:
        pytest.skip("SLOWFAST_DIR is not set; it names a checkout of PySlowFast 9839d13")
    return Path(folder)


def is_patched(folder: Path) -> bool:
    return "X3D_NODES" in (folder / "slowfast/config/custom_config.py").read_text()


def copy_of(checkout: Path, folder: Path) -> Path:
    for part in ("slowfast", "tools", "configs"):
        shutil.copytree(checkout / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(checkout / "setup.py", folder)
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("tool", APPLY)
def test_the_patch_is_applied_and_reverted_without_a_trace(tool, checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = copy_of(checkout, tmp_path / "SlowFast")
    before = contents(folder)
    steps = [["-R"], []] if is_patched(folder) else [[], ["-R"]]
    for step, reverse in enumerate(steps):
        done = subprocess.run([*APPLY[tool], *reverse], cwd=folder, capture_output=True, text=True, check=True)
        assert not done.stderr
        assert "offset" not in done.stdout
        assert (contents(folder) == before) is bool(step)


@pytest.fixture(scope="session")
def slowfast_env(tmp_path_factory) -> dict[str, str]:
    """An environment in which the scripts find patched PySlowFast."""
    env = dict(os.environ)
    if "SLOWFAST_DIR" in env:
        folder = copy_of(Path(env["SLOWFAST_DIR"]), tmp_path_factory.mktemp("patched") / "SlowFast")
        if not is_patched(folder):
            subprocess.run(APPLY["patch"], cwd=folder, check=True, capture_output=True)
        env["PYTHONPATH"] = str(folder)
    elif importlib.util.find_spec("slowfast") is None:
        pytest.skip("neither is SLOWFAST_DIR set nor does Python find slowfast")
    return env


def run_script(env: dict[str, str], script: str, *keys: str) -> subprocess.CompletedProcess[str]:
    """Run a script with PySlowFast as its backend."""
    backend = f"X3D_{script.removeprefix('x3d_').upper()}.BACKEND"
    command = [sys.executable, str(ROOT / f"{script}.py"), *keys, backend, "slowfast"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return float(np.abs(ours - theirs).max())


def test_views_agree(slowfast_env, sample_videos, tmp_path):
    videos = tmp_path / "val"
    (videos / "a class").mkdir(parents=True)
    for name in CLIPS:
        shutil.copy(sample_videos / name, videos / "a class" / name)
    (videos / "empty.mp4").touch()
    listed = [*(f"a class/{name} {label}\n" for label, name in enumerate(CLIPS)), "empty.mp4 3\n"]
    (tmp_path / "test.csv").write_text("".join(listed))
    keys = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "DATA.PATH_PREFIX", str(videos), "TEST.NUM_ENSEMBLE_VIEWS", "3"]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    assert x3d_preprocess.main([*keys, "X3D_PREPROCESS.DATA_OUTPUT_PATH", str(ours)]) == 1
    run = run_script(slowfast_env, "x3d_preprocess", *keys, "X3D_PREPROCESS.DATA_OUTPUT_PATH", str(theirs))
    assert run.returncode == 1, run.stderr
    assert not run.stdout

    names = {path.name for path in ours.glob("*.npy")}
    assert len(names) == 9 * len(CLIPS)
    assert names == {path.name for path in theirs.glob("*.npy")}
    assert max(largest_difference(np.load(ours / name), np.load(theirs / name)) for name in names) <= TOLERANCE
    states = [json.loads((folder / "manifest.json").read_text())["videos"] for folder in (ours, theirs)]
    for index, state in states[0].items():
        assert [state[key] for key in ("path", "label", "state")] == [
            states[1][index][key] for key in ("path", "label", "state")
        ]
    assert [state["3"]["reason"] for state in states] == ["empty", "empty"]


@pytest.mark.parametrize("size", ["S", "M"])
def test_networks_agree(size, slowfast_env, tmp_path):
    cfg_path = str(ROOT / f"configs/X3D_{size}.yaml")
    cfg = load_cfg(cfg_path)
    checkpoint = tmp_path / "synthetic.pyth"
    torch.save({"epoch": 1, "model_state": synthetic_state(X3D(Architecture.from_cfg(cfg)), 5)}, checkpoint)
    keys = ["--cfg", cfg_path, "TEST.CHECKPOINT_FILE_PATH", str(checkpoint), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH"]
    assert x3d_pth2onnx.main([*keys, str(tmp_path / "ours.onnx")]) == 0
    run = run_script(slowfast_env, "x3d_pth2onnx", *keys, str(tmp_path / "theirs.onnx"))
    assert run.returncode == 0, run.stderr

    views = np.random.RandomState(6).standard_normal((2, *view_shape(cfg))).astype(np.float32)
    ours, theirs = (
        open_engine(read_model(str(tmp_path / f"{name}.onnx")), "onnxruntime").infer(views)
        for name in ("ours", "theirs")
    )
    assert ours.max() > 2 / cfg.MODEL.NUM_CLASSES
    assert largest_difference(ours, theirs) <= TOLERANCE


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"model_state": {"blocks.0.norm.weight": 1}}, "has model_state in the layout of pytorchvideo; "),
        ({"state_dict": {"backbone.conv5.bn.weight": 1}}, "has state_dict in the layout of mmaction2; "),
        ({"state_dict": {"head.x": 1}}, "has state_dict in the layout of PySlowFast; "),
        (
            {"model_state": {"module.head.x": 1}},
            "has model_state, names without 'module.', in the layout of PySlowFast",
        ),
        ({"model_state": {"head.x": 1}}, ""),
    ],
)
def test_pyslowfasts_code_gets_checkpoints_as_it_writes_them_only(content, found, tmp_path):
    torch.save(content, tmp_path / "x.pyth")
    opened = open_checkpoint(str(tmp_path / "x.pyth"))
    if not found:
        check_own_layout(opened)
        return
    with pytest.raises(ValueError, match=f"{found}.*PySlowFast only: set X3D_PTH2ONNX.BACKEND native$"):
        check_own_layout(opened)


def test_a_checkpoint_that_does_not_fit_is_rejected_by_both(slowfast_env, small_cfg: CfgNode, tmp_path, caplog):
    state = synthetic_state(X3D(Architecture.from_cfg(small_cfg)), 5)
    del state["head.projection.bias"]
    torch.save({"model_state": state}, tmp_path / "part.pyth")
    keys = [*SMALL, "TEST.CHECKPOINT_FILE_PATH", str(tmp_path / "part.pyth")]
    keys += ["X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(tmp_path / "part.onnx")]
    assert x3d_pth2onnx.main(keys) == 2
    assert "missing: head.projection.bias" in caplog.text
    run = run_script(slowfast_env, "x3d_pth2onnx", *keys)
    assert run.returncode == 2
    assert "missing: head.projection.bias" in run.stderr


@pytest.mark.parametrize("method", ["sum", "max"])
def test_lines_agree(method, slowfast_env, tmp_path, capsys):
    folder = tmp_path / "res"
    folder.mkdir()
    random = np.random.RandomState(7)
    for video in range(30):
        label = video % 9
        for view in range(30):
            scores = random.dirichlet(np.ones(9)).astype(np.float32)
            scores[label] += 0.02
            scores /= scores.sum()
            scores.tofile(folder / f"{30 * video + view}_{label}_0.bin")
    keys = [*SMALL, "X3D_POSTPROCESS.OM_OUTPUT_PATH", str(folder), "DATA.ENSEMBLE_METHOD", method]
    assert x3d_postprocess.main(keys) == 0
    line = capsys.readouterr().out
    assert 0 < float(json.loads(line)["top1_acc"]) < 100
    run = run_script(slowfast_env, "x3d_postprocess", *keys)
    assert run.returncode == 0, run.stderr
    assert run.stdout == line
