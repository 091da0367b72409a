import pytest
import torch
from torch import nn

from demo.synthetic import synthetic_state
from x3d.network.checkpoint import load_checkpoint
from x3d.network.model import X3D, Architecture


def test_a_checkpoint_must_fit_entry_by_entry(tmp_path, small_cfg):
    model = X3D(Architecture.from_cfg(small_cfg))
    state = synthetic_state(model, 0)
    del state["head.projection.bias"]
    state["head.extra"] = torch.zeros(2, 3)
    state["head.projection.weight"] = torch.zeros(4, 5)
    torch.save({"model_state": state}, tmp_path / "x.pyth")
    with pytest.raises(ValueError, match="entries that differ: 3") as raised:
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
        ({"state_dict": {}}, r"holds keys .*'state_dict'.*expected a dict with model_state"),
        ([1], "holds list; expected a dict with model_state"),
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
    def load(path, map_location, weights_only):
        assert (path, map_location, weights_only) == ("x.pyth", "cpu", True)
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(ValueError, match=r"checkpoint x\.pyth cannot be read as tensors: first line$"):
        load_checkpoint(nn.Module(), "x.pyth")


def test_an_empty_checkpoint_path_says_which_key_to_set(small_cfg):
    with pytest.raises(ValueError, match=r"^no checkpoint given; set TEST\.CHECKPOINT_FILE_PATH"):
        load_checkpoint(X3D(Architecture.from_cfg(small_cfg)), "")
