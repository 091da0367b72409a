"""The weights among what a checkpoint contains, without wrappers and what averaging adds."""

import pytest
import torch

from x3d.network.checkpoint_weights import find_weights

ONE, TWO = {"a.b": torch.ones(2)}, {"a.b": torch.zeros(2)}


@pytest.mark.parametrize(
    ("content", "wanted", "entry", "state"),
    [
        ({"model_state": ONE, "epoch": 3}, "", "model_state", ONE),
        ({"state_dict": ONE, "meta": {}}, "", "state_dict", ONE),
        ({"state_dict": ONE, "model_state": TWO}, "", "model_state", TWO),
        ({"ema_state": ONE, "model_state": TWO}, "", "model_state", TWO),
        ({"ema_state": ONE, "model_state": TWO}, "ema_state", "ema_state", ONE),
        ({"ema_state": ONE, "model_state": None}, "", "ema_state", ONE),
        ({"model_ema": ONE}, "", "model_ema", ONE),
        ({"net": ONE}, "net", "net", ONE),
        (ONE, "", "", ONE),
    ],
)
def test_the_entry_with_the_weights_is_chosen(content, wanted, entry, state):
    found = find_weights("x.pyth", content, wanted)
    assert (found.entry, found.state) == (entry, state)
    assert str(found) == (entry or "tensors")


@pytest.mark.parametrize(
    ("content", "wanted", "text"),
    [
        ({"state_dict": {}}, "", "has the entries state_dict; expected model_state, state_dict or tensors alone, as"),
        (
            {"model_state": [1], "b": 2},
            "",
            "has the entries b, model_state; expected .*, or X3D_PTH2ONNX.WEIGHTS with the entry",
        ),
        ({"net": ONE}, "", "has the entries net; expected"),
        ({"a": torch.ones(1), "b": 3}, "", "has the entries a, b; expected"),
        ({f"k{n}": n for n in range(9)}, "", "has the entries k0, k1, k2 and 6 more; expected"),
        ({}, "", "is an empty dict; expected model_state"),
        (
            {"model_state": ONE},
            "ema_state",
            "has no weights in .*WEIGHTS 'ema_state'; its entries: model_state$",
        ),
        ({"model_state": ONE, "ema_state": None}, "ema_state", "has no weights in X3D_PTH2ONNX.WEIGHTS 'ema_state'"),
        ({"model_state": {3: torch.ones(1), "a": torch.ones(1)}}, "", "has weights whose names are no text: 3$"),
        ({3: torch.ones(1)}, "", "has weights whose names are no text: 3$"),
    ],
)
def test_other_contents_are_named(content, wanted, text):
    with pytest.raises(ValueError, match=f"^checkpoint x.pyth {text}"):
        find_weights("x.pyth", content, wanted)


@pytest.mark.parametrize(
    "wrapper", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model.", "module." * 4]
)
def test_wrappers_of_all_names_are_removed(wrapper):
    found = find_weights("x.pyth", {"state_dict": {f"{wrapper}a.b": ONE["a.b"], f"{wrapper}c": TWO["a.b"]}})
    assert (list(found.state), found.wrapper) == (["a.b", "c"], wrapper)
    assert str(found) == f"state_dict, names without {wrapper!r},"


@pytest.mark.parametrize("names", [["module.a", "b"], ["net.a", "net.b"], ["modulea", "modulea2"]])
def test_a_prefix_of_some_names_and_another_prefix_stay(names):
    found = find_weights("x.pyth", dict.fromkeys(names, ONE["a.b"]))
    assert (list(found.state), found.wrapper) == (names, "")


def test_no_more_than_four_wrappers_are_removed():
    assert list(find_weights("x.pyth", {"module." * 5 + "a": ONE["a.b"]}).state) == ["module.a"]


def test_what_else_there_is_is_listed_and_the_configuration_returned():
    content = {"epoch": 1, "cfg": "A: 1", "model_state": ONE, "optimizer_state": {}, "scaler_state": {}}
    found = find_weights("x.pyth", content)
    assert (found.ignored, found.cfg) == (["epoch, optimizer_state, scaler_state"], "A: 1")
    assert find_weights("x.pyth", {"cfg": torch.ones(1)}).cfg is None


def test_other_weights_are_a_warning_with_the_key_to_set(caplog):
    found = find_weights(
        "x.pyth", {"epoch": 1, "lr": 2, "best": 3, "model_state": ONE, "ema_state": TWO, "model_ema": None}
    )
    assert found.ignored == ["ema_state, epoch, lr and 2 more"]
    assert caplog.messages == [
        "checkpoint x.pyth has weights in model_state and ema_state: those of model_state are exported; for the others "
        "set X3D_PTH2ONNX.WEIGHTS ema_state"
    ]


def test_mmengines_state_dict_has_the_averaged_weights(caplog):
    content = {"meta": {}, "state_dict": ONE, "ema_state_dict": {"module.a.b": TWO["a.b"], "steps": torch.tensor(3)}}
    found = find_weights("x.pyth", content)
    assert found.state == ONE
    assert found.ignored == ["ema_state_dict (mmengine's weights before averaging), meta"]
    assert caplog.messages == []
    other = find_weights("x.pyth", content, "ema_state_dict")
    assert (list(other.state), other.wrapper, other.ignored[-1]) == (["a.b"], "module.", "steps")


@pytest.mark.parametrize("name", ["ema_state_dict", "state_dict_ema"])
def test_averaged_weights_that_mmengine_did_not_swap_are_a_warning(name, caplog):
    found = find_weights("x.pyth", {"state_dict": ONE, name: TWO})
    assert (found.state, found.ignored) == (ONE, [name])
    assert f"those of state_dict are exported; for the others set X3D_PTH2ONNX.WEIGHTS {name}" in caplog.text


@pytest.mark.parametrize("counter", ["steps", "n_averaged"])
def test_a_counter_of_averaged_models_is_ignored_if_it_is_a_number(counter):
    found = find_weights("x.pyth", {"model_ema": {"module.a": ONE["a.b"], counter: torch.tensor(3)}})
    assert (list(found.state), found.ignored) == (["a"], [counter])
    assert list(find_weights("x.pyth", {"model_ema": {counter: torch.ones(1)}}).state) == [counter]


def test_mmcvs_copies_of_the_parameters_are_ignored():
    state = {"backbone.conv.weight": ONE["a.b"], "ema_backbone_conv_weight": TWO["a.b"], "ema_other": TWO["a.b"]}
    found = find_weights("x.pyth", {"state_dict": state})
    assert list(found.state) == ["backbone.conv.weight", "ema_other"]
    assert found.ignored == ["1 ema_ buffer (mmcv's weights before averaging)"]
