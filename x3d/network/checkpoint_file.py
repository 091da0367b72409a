"""Read a checkpoint file: tensors and plain values, from bytes whose checksums are right."""

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import torch

from x3d.errors import InputError, cause_of, is_out_of_memory
from x3d.files import HEAD_BYTES, describe_content, read_regular

EXPECTED = "model_state, state_dict or tensors alone, as PySlowFast, pytorchvideo and mmaction2 write them"
_SAVE_ALONE = (
    'where the file was written, save the tensors alone: torch.save({"model_state": network.state_dict()}, "x.pyth")'
)
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x3a\x42]")
"""First bytes of an .onnx: its version, then a field with text or the graph."""
_CAUSE = re.compile(r"WeightsUnpickler error: *(.*)")
_OBJECT = re.compile(r"(?:GLOBAL|class|function) ([\w.]+)")


def read_checkpoint(path: str) -> Mapping[str, Any]:
    """Read a checkpoint's dict; only tensors and plain values are unpickled (`weights_only`).

    Raises:
        InputError: no such file, damaged, or not a checkpoint; the text names the file and what it is.
    """
    if not path:
        raise InputError("no checkpoint given; set TEST.CHECKPOINT_FILE_PATH to a .pyth, as of PySlowFast's model zoo")
    try:
        content = read_regular(path)
    except FileNotFoundError as error:
        raise InputError(f"checkpoint {path} does not exist; set TEST.CHECKPOINT_FILE_PATH") from error
    except OSError as error:
        raise InputError(
            f"checkpoint {path} cannot be read: {error.strerror}; set TEST.CHECKPOINT_FILE_PATH"
        ) from error
    _check_kind(path, content[:HEAD_BYTES])
    if content.startswith(b"PK"):
        _check_sums(path, content)
    loaded = _unpickle(path, content)
    if not isinstance(loaded, Mapping):
        raise InputError(f"checkpoint {path} holds {type(loaded).__name__}; expected {EXPECTED}")
    return loaded


def _check_kind(path: str, head: bytes) -> None:
    found = "" if head.startswith(b"PK") else describe_content(head)
    if path.lower().endswith((".onnx", ".om", ".xml")) or _ONNX.match(head):
        found = "a converted model, which is not converted again"
    if found:
        raise InputError(f"checkpoint {path}: a .pyth that torch.save writes is expected, this is {found}")


def _check_sums(path: str, content: bytes) -> None:
    """Check the CRC-32 of every entry of a zip archive, which torch does not; its older format has none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
            names = archive.namelist()
    except Exception as error:  # whatever zipfile raises on damaged bytes
        raise InputError(f"checkpoint {path} is damaged or incomplete, get it again: {cause_of(error)}") from error
    if damaged is not None:
        raise InputError(f"checkpoint {path} is damaged, get it again: the checksum of its entry {damaged} is wrong")
    if not any(name.endswith("/data.pkl") for name in names) or any(name.endswith("/constants.pkl") for name in names):
        raise InputError(f"checkpoint {path} is a zip archive of something else; expected {EXPECTED}")


def _unpickle(path: str, content: bytes) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about kinds of tensors that are rejected with a message of our own
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no class of errors for what it cannot read
        if is_out_of_memory(error):
            raise
        text = str(error)
        found = _OBJECT.search(text)
        if "nsupported" in text and found:
            raise InputError(f"checkpoint {path} holds an object ({found[1]}) beside tensors; {_SAVE_ALONE}") from error
        cause = _CAUSE.search(text)
        detail = cause[1] if cause else cause_of(error)
        is_sentence = isinstance(error, RuntimeError | pickle.UnpicklingError)  # others are of torch's own reading
        if "weights_only" in detail or not detail or not is_sentence:
            detail = "it is not what torch.save writes"
        raise InputError(f"checkpoint {path} cannot be read as tensors: {detail}") from error
