import numpy as np
import pytest
import torch

from test.helpers import ROOT
from test.networks import CASES, GOLDEN, case_id, golden_batch, golden_cfg, golden_model
from x3d.config.loading import load_cfg
from x3d.network.model import X3D, Architecture, round_width

S = str(ROOT / "configs/X3D_S.yaml")


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_tensors_are_pyslowfasts(case):
    with torch.device("meta"):
        model = X3D(Architecture.from_cfg(golden_cfg(case)))
    assert {name: list(tensor.shape) for name, tensor in model.state_dict().items()} == GOLDEN["tensors"]
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 3) == 3.794


def test_outputs_are_pyslowfasts():
    """The other cases are in test_model_onnx.py."""
    [case] = [case for case in CASES if case["config"] == "X3D_XS"]
    cfg = golden_cfg(case)
    with torch.inference_mode():
        found = golden_model(cfg)(torch.from_numpy(golden_batch(cfg))).numpy()
    assert np.abs(found - np.array(case["output"])).max() < 1e-6


@pytest.mark.parametrize(
    ("width", "multiplier", "divisor", "expected"),
    [(12, 2, 8, 24), (54, 0.0625, 8, 8), (216, 0.0625, 8, 16), (432, 0.0625, 8, 32), (12, 1.5, 1, 18), (7, 0, 8, 7)],
)
def test_widths_are_rounded_by_the_rule(width, multiplier, divisor, expected):
    assert round_width(width, multiplier, divisor) == expected


def test_stage_widths():
    assert Architecture.from_cfg(load_cfg(S)).stage_widths() == [24, 24, 48, 96, 192]
    assert Architecture.from_cfg(load_cfg(S, ["X3D.SCALE_RES2", "True"])).stage_widths() == [24, 48, 96, 192, 384]
    assert Architecture.from_cfg(load_cfg(S, ["X3D.WIDTH_FACTOR", "0.25"])).stage_widths() == [3, 3, 6, 12, 24]
