"""A checkpoint has every entry of the network and no other, in one of three layouts, each a plain finite tensor."""

import re

import pytest
import torch
from torch import nn

from demo.synthetic import synthetic_state
from test.checkpoint_layouts import ALL, CLASSIFIER, build, layout_state
from test.helpers import ROOT, SMALL, with_keys
from x3d.config.loading import load_cfg
from x3d.network.checkpoint import load_weights, open_checkpoint, state_problems
from x3d.network.checkpoint_cfg import compared_config
from x3d.network.layouts import LAYOUTS
from x3d.network.model import X3D, Architecture

NAME = "head.projection.weight"
S = str(ROOT / "configs/X3D_S.yaml")


@pytest.fixture
def model(small_cfg):
    return X3D(Architecture.from_cfg(small_cfg))


def load(model, state, tmp_path, layout="auto"):
    torch.save({"model_state": state}, tmp_path / "x.pyth")
    load_weights(model, open_checkpoint(str(tmp_path / "x.pyth"), layout))


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


def test_variances_below_zero_are_rejected(model, tmp_path):
    name = "s1.pathway0_stem.bn.running_var"
    state = synthetic_state(model, 0)
    state[name] = -state[name]
    with pytest.raises(ValueError, match=rf"unusable: {name} holds variances below 0"):
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
        ("net.model.{}", "its names start with 'net.model.'; save the state_dict of the network within"),
        ("net.module.{}", "its names start with 'net.module.'"),
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


@pytest.mark.parametrize("name", ALL)
def test_a_prefix_is_named_in_every_layout(name, small_cfg, model, tmp_path):
    state = {f"net.{entry}": value for entry, value in layout_state(small_cfg, name).items()}
    with pytest.raises(ValueError, match=r"its names start with 'net\.', beside others such as accuracy\.total; save"):
        load(model, state | {"accuracy.total": torch.zeros(1)}, tmp_path)
    with pytest.raises(ValueError, match="does not fit the configured network; entries that differ"):
        load(build(small_cfg, LAYOUTS[name]), {"accuracy.total": torch.zeros(1)}, tmp_path)


def test_weights_within_their_entry_are_named(model, tmp_path):
    with pytest.raises(ValueError, match="network: model_state holds state_dict, not tensors; save that alone"):
        load(model, {"state_dict": synthetic_state(model, 0)}, tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_a_wrapper_that_not_all_names_have_is_named_with_the_others(name, small_cfg, tmp_path):
    state = {f"model.{entry}": value for entry, value in layout_state(small_cfg, name).items()}
    torch.save({"state_dict": state | {"loss.weight": torch.ones(1)}}, tmp_path / "x.pyth")
    with pytest.raises(ValueError, match=r"its names start with 'model\.', beside others such as loss\.w"):
        load_weights(build(small_cfg, LAYOUTS[name]), open_checkpoint(str(tmp_path / "x.pyth")))


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("s1.pathway1_stem.conv.weight", "a two-pathway network of PySlowFast"),
        ("patch_embed.proj.weight", "a vision transformer"),
        ("layer1.0.conv1.weight", "a ResNet of torchvision's kind"),
    ],
)
def test_the_names_of_another_network_are_recognised(name, writer, model, tmp_path):
    with pytest.raises(ValueError, match=f": its names are those of {writer}; give a checkpoint of X3D; entries"):
        load(model, {name: torch.zeros(1)}, tmp_path)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.", "model.", "module._orig_mod.model."])
def test_each_layout_fills_every_weight_through_its_wrappers(name, wrapper, small_cfg, tmp_path, caplog):
    caplog.set_level("INFO")
    state = layout_state(small_cfg, name)
    model = build(small_cfg, LAYOUTS[name])
    load(model, {f"{wrapper}{entry}": value for entry, value in state.items()}, tmp_path)
    filled = LAYOUTS[name].to_entries(model.state_dict())
    assert filled.keys() == state.keys()
    assert all(torch.equal(filled[entry], value) for entry, value in state.items())
    named = f"model_state, names without {wrapper!r}," if wrapper else "model_state"
    counters = sum("num_batches" in entry for entry in state)
    assert caplog.messages[0] == (
        f"{tmp_path}/x.pyth: {named} in the layout of {LAYOUTS[name].library}, 1, 2, 5, 3 blocks; ignored: {counters} "
        "num_batches_tracked"
    )


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("index", [0, 1, 40, -1])
def test_an_entry_removed_renamed_or_reshaped_is_rejected_with_both_sides(name, index, small_cfg, tmp_path):
    state, layout = layout_state(small_cfg, name), LAYOUTS[name]
    model = build(small_cfg, layout)
    own = next(own for own in model.state_dict() if layout.entry_name(own) == list(state)[index])
    entry = layout.entry_name(own)
    shown = entry if own == entry else f"{entry} (the network's {own})"
    shape, value = tuple(state[entry].shape), state.pop(entry)
    with pytest.raises(ValueError, match="entries that differ: 1\n") as raised:
        load(model, state, tmp_path)
    assert str(raised.value).splitlines()[1:] == [f"missing: {shown} {shape}"]
    with pytest.raises(ValueError, match="entries that differ: 2\n") as raised:
        load(model, state | {f"{entry}s": value}, tmp_path)
    assert str(raised.value).splitlines()[1:] == [f"missing: {shown} {shape}", f"unexpected: {entry}s {shape}"]
    with pytest.raises(ValueError, match="entries that differ: 1\n") as raised:
        load(model, state | {entry: value[None]}, tmp_path)
    assert str(raised.value).splitlines()[1:] == [f"shape: {shown} is {(1, *shape)}, the network needs {shape}"]


def test_two_entries_that_change_places_are_rejected_where_their_shapes_differ(small_cfg, tmp_path):
    state = layout_state(small_cfg, "pytorchvideo")
    first, second = "blocks.0.conv.conv_t.weight", "blocks.0.conv.conv_xy.weight"
    state[first], state[second] = state[second], state[first]
    with pytest.raises(ValueError, match="entries that differ: 2"):
        load(build(small_cfg, LAYOUTS["pytorchvideo"]), state, tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_counters_of_batch_norm_may_be_missing_all_together(name, small_cfg, tmp_path, caplog):
    caplog.set_level("INFO")
    state = layout_state(small_cfg, name)
    counters = [entry for entry in state if entry.endswith("num_batches_tracked")]
    model = build(small_cfg, LAYOUTS[name])
    load(model, {entry: value for entry, value in state.items() if entry not in counters}, tmp_path)
    assert "ignored: nothing" in caplog.text
    filled = LAYOUTS[name].to_entries(model.state_dict())
    assert all(torch.equal(filled[entry], value) for entry, value in state.items() if entry not in counters)
    del state[counters[3]]
    with pytest.raises(ValueError, match=f"entries that differ: 1\nmissing: {counters[3]}"):
        load(model, state, tmp_path)


@pytest.mark.parametrize("name", ALL)
def test_another_number_of_classes_is_a_matter_of_its_key(name, small_cfg, tmp_path):
    state = layout_state(load_cfg(S, with_keys(SMALL, "MODEL.NUM_CLASSES", "5")), name)
    with pytest.raises(ValueError, match=r"is of 5 classes, MODEL.NUM_CLASSES is 9: set MODEL.NUM_CLASSES 5$"):
        load(build(small_cfg, LAYOUTS[name]), state, tmp_path)
    state[f"{CLASSIFIER[name]}.bias"] = torch.zeros(6)
    with pytest.raises(ValueError, match="entries that differ: 2"):
        load(build(small_cfg, LAYOUTS[name]), state, tmp_path)


@pytest.mark.parametrize(("given", "found"), [("pyslowfast", "mmaction2"), ("mmaction2", "pytorchvideo")])
def test_a_wrong_layout_is_rejected_with_the_right_one(given, found, small_cfg, tmp_path):
    advice = f": its names are those of {found}; set X3D_PTH2ONNX.LAYOUT auto or {found}; entries that differ"
    with pytest.raises(ValueError, match=advice):
        load(build(small_cfg, LAYOUTS[given]), layout_state(small_cfg, found), tmp_path, given)


@pytest.mark.parametrize("name", ALL)
def test_a_given_layout_is_taken(name, small_cfg, tmp_path):
    load(build(small_cfg, LAYOUTS[name]), layout_state(small_cfg, name), tmp_path, name)


@pytest.mark.parametrize("name", ALL)
def test_other_depths_are_named(name, tmp_path):
    shallow, deep = (
        load_cfg(S, with_keys(SMALL, "X3D.WIDTH_FACTOR", "0.1", "X3D.DEPTH_FACTOR", factor))
        for factor in ("2.2", "5.0")
    )
    with pytest.raises(ValueError, match=": it is X3D-L, --cfg configures X3D-XS, X3D-S or X3D-M; entries"):
        load(build(shallow, LAYOUTS[name]), layout_state(deep, name), tmp_path)


def test_statistics_of_sub_batches_are_rejected(model, tmp_path):
    state = synthetic_state(model, 0) | {"s1.pathway0_stem.bn.split_bn.running_mean": torch.zeros(24)}
    advice = r"has the statistics of sub-batches \(s1\.pathway0_stem\.bn\.split_bn.*save_checkpoint after "
    with pytest.raises(ValueError, match=advice):
        load(model, state, tmp_path)


@pytest.mark.parametrize(
    ("std", "offset", "logged"),
    [
        ("[0.225,0.225,0.225]", "False", "DATA.USE_OFFSET_SAMPLING True DATA.STD [0.2250196,0.2250196,0.2250196]"),
        ("[0.225,0.225,0.225]", "True", "DATA.STD [0.2250196,0.2250196,0.2250196]"),
        ("[0.2250196,0.2250196,0.2250196]", "False", "DATA.USE_OFFSET_SAMPLING True"),
        ("[0.2250196,0.2250196,0.2250196]", "True", ""),
    ],
)
@pytest.mark.parametrize("name", ALL)
def test_keys_of_mmaction2s_views_are_logged_where_they_differ(name, std, offset, logged, tmp_path, caplog):
    caplog.set_level("INFO")
    cfg = load_cfg(S, [*SMALL, "DATA.STD", std, "DATA.USE_OFFSET_SAMPLING", offset])
    torch.save(layout_state(cfg, name), tmp_path / "x.pyth")
    load_weights(build(cfg, LAYOUTS[name]), open_checkpoint(str(tmp_path / "x.pyth")), compared_config(cfg))
    found = re.findall("publishes accuracies of views made with (.*)", caplog.text)
    assert found == ([logged] if logged and name == "mmaction2" else [])


def test_an_entry_can_be_chosen(small_cfg, tmp_path):
    first, second = (layout_state(small_cfg, "pytorchvideo", seed) for seed in (1, 2))
    torch.save({"model_state": first, "ema_state": second}, tmp_path / "x.pyth")
    for entry, expected in (("", first), ("ema_state", second)):
        model = build(small_cfg, LAYOUTS["pytorchvideo"])
        load_weights(model, open_checkpoint(str(tmp_path / "x.pyth"), entry=entry))
        assert torch.equal(model.state_dict()["head.projection.bias"], expected["blocks.5.proj.bias"])


def test_the_first_problems_are_of_every_kind():
    expected = nn.Linear(2, 2, bias=False).state_dict() | {f"a{number}": torch.zeros(1) for number in range(30)}
    state = {f"b{number}": torch.zeros(1) for number in range(30)} | {"weight": None}
    problems = state_problems(expected, state)
    assert len(problems) == 61
    assert {text.split(":")[0] for text in problems[:20]} == {"missing", "unexpected", "unusable"}
