"""X3D networks with synthetic weights, and what PySlowFast's compute."""

from typing import Any

import numpy as np
from fvcore.common.config import CfgNode

from demo.synthetic import synthetic_state
from test.helpers import ROOT, read_golden
from x3d.config.loading import load_cfg
from x3d.network.model import X3D, Architecture
from x3d.video.transform import view_shape

GOLDEN = read_golden("slowfast_model.json")
CASES: list[dict[str, Any]] = GOLDEN["cases"]


def case_id(case: dict[str, Any]) -> str:
    return f"{case['config']} at {case['crop']}"


def golden_cfg(case: dict[str, Any]) -> CfgNode:
    one_crop = ["TEST.NUM_SPATIAL_CROPS", "1"] if case["crop"] == 160 else []
    return load_cfg(str(ROOT / f"configs/{case['config']}.yaml"), ["DATA.TEST_CROP_SIZE", str(case["crop"]), *one_crop])


def golden_batch(cfg: CfgNode) -> np.ndarray:
    random = np.random.RandomState(GOLDEN["seed"] + 1)
    return random.standard_normal((2, *view_shape(cfg))).astype(np.float32)


def golden_model(cfg: CfgNode) -> X3D:
    model = X3D(Architecture.from_cfg(cfg)).eval()
    model.load_state_dict(synthetic_state(model, GOLDEN["seed"]))
    return model
