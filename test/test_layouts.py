"""Names and shapes of each layout, as a bijection with the network's."""

import pytest
import torch

from test.checkpoint_layouts import ALL, CLASSIFIER, GOLDEN, OTHERS, build
from test.helpers import ROOT
from x3d.config.keys import KEYS
from x3d.config.loading import load_cfg
from x3d.network.layouts import LAYOUTS, MMACTION2, PYSLOWFAST, PYTORCHVIDEO, describe_depths, recognise_layout
from x3d.network.model import Architecture


def meta_state(size: str, name: str, *opts: str) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return build(load_cfg(str(ROOT / f"configs/X3D_{size}.yaml"), list(opts)), LAYOUTS[name]).state_dict()


@pytest.mark.parametrize("size", ["XS", "S", "M"])
@pytest.mark.parametrize("name", OTHERS)
def test_names_and_shapes_are_the_librarys(size, name):
    entries = LAYOUTS[name].to_entries(meta_state(size, name))
    assert {entry: list(tensor.shape) for entry, tensor in entries.items()} == GOLDEN["tensors"][name]


@pytest.mark.parametrize("size", ["S", "L"])
@pytest.mark.parametrize("name", ALL)
def test_every_entry_has_a_name_of_its_own(size, name):
    state = meta_state(size, name)
    names = {LAYOUTS[name].entry_name(own) for own in state}
    assert len(names) == len(state)
    assert all(own == LAYOUTS[name].entry_name(own) for own in state) == (name == "pyslowfast")


@pytest.mark.parametrize("name", ALL)
def test_values_return_to_the_entry_that_they_come_from(name, small_cfg):
    state = build(small_cfg, LAYOUTS[name]).state_dict()
    found = LAYOUTS[name].from_entries(LAYOUTS[name].to_entries(state), state)
    assert list(found) == list(state)
    assert all(found[own].shape == tensor.shape and torch.equal(found[own], tensor) for own, tensor in state.items())


def test_the_names_of_pytorchvideos_stem_are_swapped():
    assert PYTORCHVIDEO.entry_name("s1.pathway0_stem.conv_xy.weight") == "blocks.0.conv.conv_t.weight"
    assert PYTORCHVIDEO.entry_name("s1.pathway0_stem.conv.weight") == "blocks.0.conv.conv_xy.weight"


@pytest.mark.parametrize("name", ALL)
def test_a_layout_is_recognised_by_its_names(name):
    entries = LAYOUTS[name].to_entries(meta_state("S", name))
    assert recognise_layout(entries) == LAYOUTS[name]
    assert recognise_layout([*entries, "blocks.0.x", "head.x", "backbone.x"]) == LAYOUTS[name]
    assert recognise_layout([f"{CLASSIFIER[name]}.weight"]) == LAYOUTS[name]


def test_other_names_are_of_no_layout():
    assert recognise_layout([]) is None
    assert recognise_layout(["patch_embed.proj.weight", "blocks_0", "net.head.projection.weight"]) is None


@pytest.mark.parametrize(("size", "depths"), [("XS", (3, 5, 11, 7)), ("M", (3, 5, 11, 7)), ("L", (5, 10, 25, 15))])
@pytest.mark.parametrize("name", ALL)
def test_blocks_are_counted_per_stage(size, depths, name):
    assert LAYOUTS[name].depths(LAYOUTS[name].to_entries(meta_state(size, name))) == depths


def test_depths_have_the_names_of_the_published_networks():
    assert describe_depths((3, 5, 11, 7)) == "X3D-XS, X3D-S or X3D-M"
    assert describe_depths((5, 10, 25, 15)) == "X3D-L"
    assert describe_depths((1, 2, 5, 3)) == "1, 2, 5, 3 blocks"
    assert PYSLOWFAST.depths(["s2.pathway0_res0.x", f"s{'9' * 5000}.pathway0_res0.x"]) == (1,)


def test_only_mmaction2_pools_globally_and_only_pytorchvideo_omits_a_norm():
    architecture = Architecture.from_cfg(load_cfg(str(ROOT / "configs/X3D_S.yaml")))
    assert PYSLOWFAST.adapt(architecture) == architecture
    found = {name: layout.adapt(architecture) for name, layout in LAYOUTS.items()}
    assert [name for name in ALL if found[name].global_pool] == ["mmaction2"]
    assert [name for name in ALL if not found[name].norms_same_width] == ["pytorchvideo"]
    assert MMACTION2.std == pytest.approx(57.38 / 255)


def test_the_key_takes_every_layout():
    assert set(KEYS["X3D_PTH2ONNX.LAYOUT"].allowed) == {"auto", *LAYOUTS}
