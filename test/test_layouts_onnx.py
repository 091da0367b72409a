"""Checkpoints of pytorchvideo and mmaction2 compute what these libraries do, in torch and as ONNX."""

import numpy as np
import onnx
import pytest
import torch

from demo.synthetic import synthetic_tensors
from test.checkpoint_layouts import CASES, GOLDEN, build
from test.helpers import ROOT
from x3d.config.loading import load_cfg
from x3d.network.checkpoint import load_weights, open_checkpoint
from x3d.network.engine import open_engine
from x3d.network.export import ATC_OPERATORS, export_onnx, fold_batch_norm
from x3d.network.model_file import ModelFile
from x3d.video.transform import view_shape

SAVED = {"pytorchvideo": "model_state", "mmaction2": "state_dict"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['library']} {case['model']} at {case['crop']}")
def test_network_and_onnx_are_the_librarys(case, tmp_path):
    """One of the two views, because they take seconds; the batch is part of test_model_onnx.py."""
    one_crop = ["TEST.NUM_SPATIAL_CROPS", "1"] if case["crop"] == 160 else []
    keys = ["DATA.TEST_CROP_SIZE", str(case["crop"]), *one_crop]
    cfg = load_cfg(str(ROOT / f"configs/{case['model']}.yaml"), keys)
    state = synthetic_tensors(GOLDEN["tensors"][case["library"]], GOLDEN["seed"])
    torch.save({SAVED[case["library"]]: state}, tmp_path / "x.pyth")
    checkpoint = open_checkpoint(str(tmp_path / "x.pyth"))
    assert checkpoint.layout.name == case["library"]
    model = build(cfg, checkpoint.layout)
    load_weights(model, checkpoint)

    shape, expected = view_shape(cfg), np.array(case["probabilities"][:1])
    batch = np.random.RandomState(GOLDEN["seed"] + 1).standard_normal((2, *shape)).astype(np.float32)[:1]
    with torch.inference_mode():
        found = model(torch.from_numpy(batch)).numpy()
    assert np.abs(found - expected).max() < 1e-6
    assert expected.max() > 3 / 400
    fold_batch_norm(model)
    exported = export_onnx(model, shape, opset=11, batch_size=1)
    assert {node.op_type for node in onnx.load_model_from_string(exported).graph.node} <= ATC_OPERATORS
    for engine in ("openvino", "onnxruntime"):
        found = open_engine(ModelFile("x.onnx", exported, b"", ""), engine).infer(batch)
        assert np.abs(found - expected).max() < 1e-5
