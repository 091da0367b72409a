import numpy as np
import onnx
import pytest
import torch
from torch import nn

from demo.synthetic import synthetic_state
from test.helpers import ROOT, SMALL, read_golden
from x3d.config.loading import load_cfg
from x3d.network.checkpoint import load_checkpoint
from x3d.network.engine import open_engine
from x3d.network.export import ATC_OPERATORS, fold_batch_norm, write_onnx
from x3d.network.model import X3D, Architecture, round_width
from x3d.video.transform import view_shape

GOLDEN = read_golden("slowfast_model.json")
S = str(ROOT / "configs/X3D_S.yaml")


def golden_cfg(case):
    one_crop = ["TEST.NUM_SPATIAL_CROPS", "1"] if case["crop"] == 160 else []
    return load_cfg(str(ROOT / f"configs/{case['config']}.yaml"), ["DATA.TEST_CROP_SIZE", str(case["crop"]), *one_crop])


BY_CASE = pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['config']} at {case['crop']}")


def golden_batch(cfg):
    random = np.random.RandomState(GOLDEN["seed"] + 1)
    return random.standard_normal((2, *view_shape(cfg))).astype(np.float32)


def golden_model(cfg):
    model = X3D(Architecture.from_cfg(cfg)).eval()
    model.load_state_dict(synthetic_state(model, GOLDEN["seed"]))
    return model


@BY_CASE
def test_tensors_are_pyslowfasts(case):
    with torch.device("meta"):
        model = X3D(Architecture.from_cfg(golden_cfg(case)))
    assert {name: list(tensor.shape) for name, tensor in model.state_dict().items()} == GOLDEN["tensors"]
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 3) == 3.794


@BY_CASE
def test_outputs_are_pyslowfasts(case):
    cfg = golden_cfg(case)
    with torch.inference_mode():
        found = golden_model(cfg)(torch.from_numpy(golden_batch(cfg))).numpy()
    assert np.abs(found - np.array(case["output"])).max() < 1e-6


@BY_CASE
def test_outputs_of_the_onnx_are_pyslowfasts(case, tmp_path):
    cfg = golden_cfg(case)
    model = golden_model(cfg)
    fold_batch_norm(model)
    path = str(tmp_path / "x.onnx")
    write_onnx(model, path, view_shape(cfg), opset=11, batch_size=0)
    for engine in ("openvino", "onnxruntime"):
        assert np.abs(open_engine(path, engine).infer(golden_batch(cfg))[0] - np.array(case["output"])).max() < 1e-5


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


@pytest.mark.parametrize(
    "opts",
    [["X3D.BN_LIN5", "True"], ["X3D.CHANNELWISE_3x3x3", "False"], ["MODEL.HEAD_ACT", "sigmoid"], []],
    ids=lambda opts: " ".join(opts) or "as is",
)
@pytest.mark.parametrize(("opset", "batch_size"), [(11, 0), (13, 0), (11, 3)])
def test_every_variant_exports_with_operators_atc_takes(opts, opset, batch_size, tmp_path):
    cfg = load_cfg(S, [*SMALL, *opts])
    model = X3D(Architecture.from_cfg(cfg)).eval()
    model.load_state_dict(synthetic_state(model, 0))
    batch = torch.randn(3, *view_shape(cfg), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(batch).numpy()
    fold_batch_norm(model)
    path = str(tmp_path / "x.onnx")
    write_onnx(model, path, view_shape(cfg), opset, batch_size)
    graph = onnx.load(path).graph
    assert {node.op_type for node in graph.node} <= ATC_OPERATORS
    assert [graph.input[0].name, graph.output[0].name] == ["image", "class"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_value == batch_size
    assert np.abs(open_engine(path, "onnxruntime").infer(batch.numpy())[0] - expected).max() < 1e-5


def test_a_checkpoint_must_fit_entry_by_entry(tmp_path, small_cfg):
    model = X3D(Architecture.from_cfg(small_cfg))
    state = synthetic_state(model, 0)
    del state["head.projection.bias"]
    state["head.extra"] = torch.zeros(2, 3)
    state["head.projection.weight"] = torch.zeros(4, 5)
    torch.save({"model_state": state}, tmp_path / "x.pyth")
    with pytest.raises(ValueError, match="in 3 entries") as raised:
        load_checkpoint(model, str(tmp_path / "x.pyth"))
    for text in (
        "missing: head.projection.bias (9,)",
        "unexpected: head.extra (2, 3)",
        "shape: head.projection.weight is (4, 5), the network needs (9, 16)",
    ):
        assert text in str(raised.value)


class Payload:
    def __reduce__(self):
        return (open, ("pwned", "w"))


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (None, r"No such file.*TEST.CHECKPOINT_FILE_PATH"),
        (b"not a checkpoint", "cannot be read as tensors"),
        (b"", "cannot be read as tensors"),
        ({"state_dict": {}}, r"holds keys .*'state_dict'.*not a dict with model_state"),
        ([1], "holds list, not a dict with model_state"),
        ({"model_state": Payload()}, "cannot be read as tensors"),
    ],
)
def test_what_is_no_checkpoint_is_refused(content, advice, tmp_path, small_cfg, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pyth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ValueError, match=advice):
        load_checkpoint(X3D(Architecture.from_cfg(small_cfg)), str(path))
    assert not (tmp_path / "pwned").exists()


def test_a_long_error_of_torch_is_cut_to_its_first_line(monkeypatch):
    def load(path, **more):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(ValueError, match=r"checkpoint x\.pyth cannot be read as tensors: first line$"):
        load_checkpoint(nn.Module(), "x.pyth")


def test_an_empty_checkpoint_path_says_which_key_to_set(small_cfg):
    with pytest.raises(ValueError, match=r"set TEST\.CHECKPOINT_FILE_PATH"):
        load_checkpoint(X3D(Architecture.from_cfg(small_cfg)), "")
