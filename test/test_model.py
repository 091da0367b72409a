import numpy as np
import pytest
import torch
from torch import nn

from test.helpers import ROOT
from test.networks import CASES, GOLDEN, case_id, golden_batch, golden_cfg, golden_model
from x3d.config.loading import load_cfg
from x3d.network.model import X3D, Architecture, Block, Head, SqueezeExcite, Stem, round_width

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
    [(12, 2, 8, 24), (54, 0.0625, 8, 8), (216, 0.0625, 8, 16), (432, 0.0625, 8, 32), (12, 1.5, 1, 18)],
)
def test_widths_are_rounded_by_the_rule(width, multiplier, divisor, expected):
    assert round_width(width, multiplier, divisor) == expected


def test_stage_widths():
    assert Architecture.from_cfg(load_cfg(S)).stage_widths() == [24, 24, 48, 96, 192]
    assert Architecture.from_cfg(load_cfg(S, ["X3D.SCALE_RES2", "True"])).stage_widths() == [24, 48, 96, 192, 384]
    assert Architecture.from_cfg(load_cfg(S, ["X3D.WIDTH_FACTOR", "0.25"])).stage_widths() == [3, 3, 6, 12, 24]


def meta_model(*opts: str) -> X3D:
    """Build the network of a configuration without values."""
    with torch.device("meta"):
        return X3D(Architecture.from_cfg(load_cfg(S, list(opts))))


def test_stages_are_repeated_by_the_depth_factor():
    for factor, expected in (("1.0", [1, 2, 5, 3]), ("2.2", [3, 5, 11, 7])):
        children = dict(meta_model("X3D.DEPTH_FACTOR", factor).named_children())
        assert list(children) == ["s1", "s2", "s3", "s4", "s5", "head"]
        assert [len(children[f"s{number}"]) for number in range(2, 6)] == expected


def test_convolutions_are_channelwise_or_grouped():
    name = "s2.pathway0_res0.branch2.b.weight"
    assert meta_model().state_dict()[name].shape == (54, 1, 3, 3, 3)
    assert meta_model("X3D.CHANNELWISE_3x3x3", "False").state_dict()[name].shape == (54, 54, 3, 3, 3)


def test_every_option_of_the_head_is_built():
    head = meta_model("X3D.BN_LIN5", "True", "MODEL.HEAD_ACT", "sigmoid", "X3D.DIM_C5", "64").head
    assert isinstance(head.lin_5_bn, nn.BatchNorm3d)
    assert isinstance(head.activation, nn.Sigmoid)
    assert head.projection.weight.shape == (400, 64)
    assert head.avg_pool.kernel_size == (13, 5, 5)
    assert isinstance(meta_model().head.activation, nn.Softmax)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("training", [False, True])
def test_the_head_averages_the_probabilities_of_positions_and_the_logits_while_training(activation, training):
    torch.manual_seed(0)
    head = Head(4, 6, 5, 3, pool=(2, 3, 3), bn_lin5=False, activation=activation).eval()
    x = torch.randn(2, 4, 2, 4, 5)
    logits = []
    with torch.inference_mode():
        features = torch.relu(head.conv_5_bn(head.conv_5(x)))
        for row in range(2):
            for column in range(3):
                pooled = features[:, :, :, row : row + 3, column : column + 3].mean(dim=(2, 3, 4))
                hidden = torch.relu(pooled @ head.lin_5.weight[:, :, 0, 0, 0].T)
                logits.append(hidden @ head.projection.weight.T + head.projection.bias)
        positions = torch.stack(logits)
        if not training:
            positions = positions.softmax(dim=2) if activation == "softmax" else positions.sigmoid()
        head.training = training
        torch.testing.assert_close(head(x), positions.mean(dim=0))


def test_a_gate_weights_channels_by_their_mean():
    torch.manual_seed(0)
    gate = SqueezeExcite(32)
    x = torch.randn(2, 32, 2, 3, 3)
    with torch.inference_mode():
        squeezed = torch.relu(gate.fc1.weight[:, :, 0, 0, 0] @ x.mean(dim=(2, 3, 4)).T + gate.fc1.bias[:, None])
        weights = torch.sigmoid(gate.fc2.weight[:, :, 0, 0, 0] @ squeezed + gate.fc2.bias[:, None]).T
        assert squeezed.shape == (8, 2)
        torch.testing.assert_close(gate(x), x * weights[:, :, None, None, None])


@pytest.mark.parametrize(("width_out", "stride"), [(6, 1), (6, 2), (8, 1)])
def test_a_shortcut_is_projected_where_width_or_stride_changes(width_out, stride):
    torch.manual_seed(0)
    block = Block(6, 12, width_out, stride, groups=12, gated=False).eval()
    x = torch.randn(1, 6, 3, 8, 8)
    bottleneck = block.branch2
    with torch.inference_mode():
        inner = bottleneck.b_bn(bottleneck.b(torch.relu(bottleneck.a_bn(bottleneck.a(x)))))
        outer = bottleneck.c_bn(bottleneck.c(inner * torch.sigmoid(inner)))
        shortcut = x if (width_out, stride) == (6, 1) else block.branch1_bn(block.branch1(x))
        assert outer.shape == (1, width_out, 3, 8 // stride, 8 // stride)
        torch.testing.assert_close(block(x), torch.relu(shortcut + outer))


def test_the_stem_halves_the_sides_and_keeps_the_frames():
    torch.manual_seed(0)
    stem = Stem(4).eval()
    x = torch.randn(1, 3, 5, 8, 10)
    with torch.inference_mode():
        found = stem(x)
        assert found.shape == (1, 4, 5, 4, 5)
        torch.testing.assert_close(found, torch.relu(stem.bn(stem.conv(stem.conv_xy(x)))))
