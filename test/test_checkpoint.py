"""A checkpoint has every entry of the network and no other, each a plain tensor of finite values."""

import pytest
import torch
from torch import nn

from demo.synthetic import synthetic_state
from x3d.network.checkpoint import load_checkpoint, state_problems
from x3d.network.model import X3D, Architecture

NAME = "head.projection.weight"


@pytest.fixture
def model(small_cfg):
    return X3D(Architecture.from_cfg(small_cfg))


def load(model, state, tmp_path):
    torch.save({"model_state": state}, tmp_path / "x.pyth")
    load_checkpoint(model, str(tmp_path / "x.pyth"))


def test_a_checkpoint_must_fit_entry_by_entry(model, tmp_path):
    state = synthetic_state(model, 0)
    del state["head.projection.bias"]
    state["head.extra"] = torch.zeros(2, 3)
    state[NAME] = torch.zeros(4, 5)
    with pytest.raises(ValueError, match="entries that differ: 3") as raised:
        load(model, state, tmp_path)
    for text in (
        "missing: head.projection.bias (9,)",
        "unexpected: head.extra (2, 3)",
        "shape: head.projection.weight is (4, 5), the network needs (9, 16)",
    ):
        assert text in str(raised.value)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda tensor: 3, "is no tensor but int, the network needs a plain tensor of float32"),
        (lambda tensor: tensor.tolist(), "is no tensor but list"),
        (lambda tensor: tensor.to_sparse(), r"is a sparse tensor \(sparse_coo\)"),
        (lambda tensor: tensor.to_sparse_csr(), r"is a sparse tensor \(sparse_csr\)"),
        (lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8), "is a quantised tensor"),
        (lambda tensor: tensor.to("meta"), "is a meta tensor, without values"),
        (lambda tensor: torch.nested.nested_tensor([tensor]), "is a nested tensor"),
        (lambda tensor: tensor.to(torch.complex64), "is complex64, the network needs float32"),
        (lambda tensor: tensor.to(torch.int64), "is int64, the network needs float32"),
        (lambda tensor: tensor > 0, "is bool, the network needs float32"),
        (lambda tensor: tensor / 0, "holds NaN or infinite values"),
        (lambda tensor: torch.where(tensor > tensor.median(), tensor, torch.nan), "holds NaN or infinite values"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_entry_that_is_no_plain_tensor_of_finite_values_is_rejected(change, found, model, tmp_path):
    state = synthetic_state(model, 0)
    state[NAME] = change(state[NAME])
    with pytest.raises(ValueError, match=rf"entries that differ: 1\nunusable: {NAME} {found}"):
        load(model, state, tmp_path)


def test_integers_in_place_of_tensors_are_rejected(model, tmp_path):
    state = {name: int(value) if value.dim() == 0 else value for name, value in synthetic_state(model, 0).items()}
    with pytest.raises(ValueError, match="num_batches_tracked is no tensor but int, the network needs a plain"):
        load(model, state, tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_floats_of_another_width_are_converted(dtype, model, tmp_path):
    state = synthetic_state(model, 0)
    state[NAME] = state[NAME].to(dtype)
    load(model, state, tmp_path)
    assert torch.equal(model.state_dict()[NAME], state[NAME].float())


@pytest.mark.parametrize(
    ("rename", "cause"),
    [
        ("module.{}", "its names start with 'module.', as DistributedDataParallel adds it; save the state_dict"),
        ("_orig_mod.{}", "its names start with '_orig_mod.', as torch.compile adds it"),
        ("net.model.{}", "its names start with 'net.model.'; save the state_dict of the network within"),
        ("blocks.0.conv.conv_t.{}", "its names start with 'blocks.0.conv.conv_t.'"),
        ("{}x", "does not fit the configured network; entries"),
    ],
)
def test_a_prefix_is_named_and_both_kinds_of_names_are_listed(rename, cause, model, tmp_path):
    state = {rename.format(name): value for name, value in synthetic_state(model, 0).items()}
    with pytest.raises(ValueError, match=cause) as raised:
        load(model, state, tmp_path)
    lines = str(raised.value).splitlines()[1:]
    assert [sum(line.startswith(kind) for line in lines) for kind in ("missing: ", "unexpected: ")] == [10, 10]
    assert lines[-1] == f"... and {2 * len(state) - 20} more"


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("blocks.0.conv.conv_t.weight", "PyTorchVideo"),
        ("blocks.1.res_blocks.0.branch1_conv.weight", "PyTorchVideo"),
        ("module.backbone.conv1_s.conv.weight", "MMAction2"),
        ("s1.pathway1_stem.conv.weight", "a two-pathway network of PySlowFast"),
        ("patch_embed.proj.weight", "a vision transformer"),
        ("layer1.0.conv1.weight", "a ResNet of torchvision's kind"),
    ],
)
def test_the_names_of_another_library_or_network_are_recognised(name, writer, model, tmp_path):
    with pytest.raises(ValueError, match=f": its names are those of {writer}; give a checkpoint of PySlowFast's X3D"):
        load(model, {name: torch.zeros(1)}, tmp_path)


def test_the_first_problems_are_of_every_kind():
    expected = nn.Linear(2, 2, bias=False).state_dict() | {f"a{number}": torch.zeros(1) for number in range(30)}
    state = {f"b{number}": torch.zeros(1) for number in range(30)} | {"weight": None}
    problems = state_problems(expected, state)
    assert len(problems) == 61
    assert {text.split(":")[0] for text in problems[:20]} == {"missing", "unexpected", "unusable"}
