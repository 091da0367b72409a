"""The file of a checkpoint: its checksums, what it is if no checkpoint, and objects in it."""

import argparse
import io
import random
import re
import shutil
import zipfile

import numpy as np
import pytest
import torch
from fvcore.common.config import CfgNode

from x3d.network.checkpoint_file import read_checkpoint
from x3d.network.checkpoint_weights import find_weights

STATE = {"a.weight": torch.arange(1000, dtype=torch.float32)}


class Payload:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def save(content, path, as_zip=True):
    torch.save(content, path, _use_new_zipfile_serialization=as_zip)
    return str(path)


def read_error(path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(path))) as raised:
        read_checkpoint(str(path))
    text = str(raised.value)
    assert "weights_only" not in text
    assert "\n" not in text
    return text


def state_or_error(path: str):
    try:
        return find_weights(path, read_checkpoint(path)).state, ""
    except ValueError as error:
        return None, str(error)


@pytest.mark.parametrize("as_zip", [True, False])
def test_both_forms_of_torch_are_read(as_zip, tmp_path):
    found = read_checkpoint(save({"model_state": STATE, "epoch": 3}, tmp_path / "x.pyth", as_zip))
    assert torch.equal(found["model_state"]["a.weight"], STATE["a.weight"])
    assert found["epoch"] == 3


def test_a_flipped_bit_in_a_tensor_is_noticed_with_its_entry(tmp_path):
    path = tmp_path / "x.pyth"
    content = bytearray((tmp_path / save({"model_state": STATE}, path)).read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [entry] = [info for info in archive.infolist() if info.filename.endswith("data/0")]
    draw = random.Random(0)
    start = content.find(STATE["a.weight"].numpy().tobytes())
    for _ in range(30):
        bit = draw.randrange(8 * start, 8 * (start + 4000))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        text = f"is damaged, get it again: the checksum of its entry {entry.filename} is wrong"
        assert read_error(path).endswith(text)
        content[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_flipped_bit_anywhere_is_noticed_or_harmless_and_never_a_traceback(as_zip, tmp_path):
    path = tmp_path / "x.pyth"
    save({"model_state": STATE}, path, as_zip)
    content = bytearray(path.read_bytes())
    draw = random.Random(1)
    for _ in range(300):
        bit = draw.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        found, text = state_or_error(str(path))
        assert str(path) in text or found is not None
        assert "weights_only" not in text
        assert not as_zip or text or torch.equal(found["a.weight"], STATE["a.weight"])
        content[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize("size", [1, 100, 3000, -1, -30])
@pytest.mark.parametrize("as_zip", [True, False])
def test_a_truncated_file_is_rejected(size, as_zip, tmp_path):
    path = tmp_path / "x.pyth"
    path.write_bytes((tmp_path / save({"model_state": STATE}, path, as_zip)).read_bytes()[:size])
    assert re.search("damaged or incomplete|cannot be read as tensors|is expected", read_error(path))


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (argparse.Namespace(a=1), "argparse.Namespace"),
        (CfgNode({"A": 1}), "fvcore.common.config.CfgNode"),
        (np.float64(3), "numpy._core.multiarray.scalar"),
        (np.ones(3), "numpy._core.multiarray._reconstruct"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
    ],
)
def test_an_object_in_the_way_is_named_with_how_to_save_the_tensors_alone(value, named, as_zip, tmp_path):
    text = read_error(save({"model_state": STATE, "args": value}, tmp_path / "x.pyth", as_zip))
    assert f"holds an object ({named}) beside tensors" in text
    assert 'torch.save({"model_state": network.state_dict()}, "x.pyth")' in text


def test_nothing_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save({"model_state": Payload()}, tmp_path / "x.pyth")
    assert f"holds an object ({open.__module__}.open)" in read_error(path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "this is an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid x\n", "this is a git-LFS pointer; run `git lfs pull`"),
        (b"<!DOCTYPE html>\n<html>", "this is an HTML or XML page"),
        (b"not a checkpoint\n", "this is text"),
        (b"\x1f\x8b\x08", "this is a gzip archive"),
        (b"\x08\x07\x12\x07pytorch", "this is a converted model, which is not converted again"),
        (b"\x80\x02hello", "cannot be read as tensors"),
        (b"\x80\x02jabcd", "cannot be read as tensors: it is not what torch.save writes"),
        (b"ujkjujkj\0\1", "cannot be read as tensors: it is not what torch.save writes"),
        (b"\xff\xfe\0\xfd\1\2", "cannot be read as tensors"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_called_what_it_is(content, found, tmp_path):
    (tmp_path / "x.pyth").write_bytes(content)
    assert found in read_error(tmp_path / "x.pyth")


def test_an_exported_model_is_no_checkpoint(small_onnx, tmp_path):
    shutil.copy(small_onnx, tmp_path / "x.pyth")
    assert "this is a converted model" in read_error(small_onnx)
    assert "this is a converted model" in read_error(tmp_path / "x.pyth")


def test_another_zip_archive_is_no_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pyth", "w") as archive:
        archive.writestr("a/b", "c")
    assert "is a zip archive of something else; expected model_state" in read_error(tmp_path / "x.pyth")


def test_another_content_is_named(tmp_path):
    assert "holds list; expected model_state, state_dict or tensors alone" in read_error(save([1], tmp_path / "x.pyth"))


def test_a_file_that_cannot_be_opened_is_named_with_the_key_to_set(tmp_path):
    assert " does not exist; set TEST.CHECKPOINT_FILE_PATH" in read_error(tmp_path / "x.pyth")
    assert "Is a directory; set TEST.CHECKPOINT_FILE_PATH" in read_error(tmp_path)
    with pytest.raises(ValueError, match=r"^no checkpoint given; set TEST\.CHECKPOINT_FILE_PATH"):
        read_checkpoint("")


def test_a_checkpoint_larger_than_the_memory_is_not_called_damaged(tmp_path, monkeypatch):
    def fail(*given, **more):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")

    torch.save({"model_state": {}}, tmp_path / "x.pyth")
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        read_checkpoint(str(tmp_path / "x.pyth"))
