"""Read a model whole: its bytes, ONNX's external data included, and a digest of all of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import xxhash

from x3d.errors import EngineError, cause_of, one_line
from x3d.files import HEAD_BYTES, describe_content, read_regular
from x3d.network.export_digest import check_export_digest

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_LEGACY_CHECKPOINT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of a checkpoint in torch's older, non-zip form: the pickled number that torch calls MAGIC_NUMBER."""
_OWN = ""
"""Key of a model's own content among the parts that are hashed; no file of external data has this name."""
_EXPORT, _CONVERT = "export one with x3d_pth2onnx.py", "convert one with x3d_npu.py convert"


@dataclass(frozen=True)
class ModelFile:
    """A model in memory, which engines open and whose digest is recorded.

    Attributes:
        content: of an .onnx, with its external data inside; of an .xml or an .om.
        weights: of the .bin beside an .xml, else empty.
        digest: of the name, length and bytes of every file that the model is made of (xxh3-64, hex).
    """

    path: str
    content: bytes = field(repr=False)
    weights: bytes = field(repr=False)
    digest: str


def read_model(path: str) -> ModelFile:
    """Read a model's files and check that they can be a model.

    Raises:
        EngineError: no such file, something else than a model, or a part that is missing or damaged.
    """
    if not path:
        raise EngineError("no model is given; give the .onnx that x3d_pth2onnx.py writes")
    suffix = Path(path).suffix.lower()
    content = _read(path, f"model {path}", _CONVERT if suffix == ".om" else _EXPORT)
    _check_kind(path, suffix, content)
    if suffix == ".xml":
        bin_path = str(Path(path).with_suffix(".bin"))
        weights = _read(bin_path, f"{bin_path}, the weights of model {path},", "copy it beside the .xml")
        return ModelFile(path, content, weights, _digest({_OWN: content, "weights": weights}))
    if suffix == ".om":
        return ModelFile(path, content, b"", _digest({_OWN: content}))
    parts = {_OWN: content}
    if b"location" in content:  # the key that every tensor with external data has
        content, external = _with_external_data(path, content)
        parts |= external
    if not check_export_digest(path, content):
        _check_onnx(path, content)
    return ModelFile(path, content, b"", _digest(parts))


def _read(path: str, named: str, advice: str) -> bytes:
    try:
        return read_regular(path)
    except FileNotFoundError as error:
        raise EngineError(f"{named} does not exist; {advice}") from error
    except IsADirectoryError as error:
        raise EngineError(f"{named} is a folder; give a file: .onnx, .xml or .om") from error
    except OSError as error:
        raise EngineError(f"{named} cannot be read: {error.strerror}") from error


def _check_kind(path: str, suffix: str, content: bytes) -> None:
    """Check that the first bytes can be those of a model.

    Raises:
        EngineError: they cannot; the text names what the file is.
    """
    head = content[:HEAD_BYTES]
    if head.startswith(_LEGACY_CHECKPOINT) or (head.startswith(b"PK\x03\x04") and b"/data.pkl" in head):
        raise EngineError(f"model {path} is a checkpoint; export it with x3d_pth2onnx.py")
    if suffix == ".xml" and b"<net" in head:
        return
    found = describe_content(head)
    if found or suffix == ".xml":
        kind = {".xml": "OpenVINO", ".om": "ATC"}.get(suffix, "x3d_pth2onnx.py")
        raise EngineError(f"model {path}: a file that {kind} writes is expected, this is {found or 'something else'}")


def _parse(path: str, content: bytes) -> "ModelProto":
    import onnx

    try:
        return onnx.load_model_from_string(content)
    except Exception as error:
        raise _not_onnx(path, error) from error


def _check_onnx(path: str, content: bytes) -> None:
    """Check an ONNX file of another program by ONNX's rules: engines pass over attributes that they do not know."""
    import onnx

    model = _parse(path, content)
    for port in (*model.graph.input, *model.graph.output):
        if port.type.HasField("tensor_type"):
            port.type.tensor_type.shape.SetInParent()  # the checker needs one, the engines may not
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise _not_onnx(path, error) from error


def _not_onnx(path: str, error: Exception) -> EngineError:
    return EngineError(
        f"model {path} is damaged or not an ONNX model ({cause_of(error)}); export one with x3d_pth2onnx.py"
    )


def _with_external_data(path: str, content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Put the external data of an ONNX model into it.

    Returns:
        The model, serialised, and the content of each file of external data by its name.
    Raises:
        EngineError: not ONNX, or a file of external data that is outside the folder, missing or too short.
    """
    model, files = _parse(path, content), dict[str, bytes]()
    for tensor in _external_tensors(model):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        name = entries.get("location", "")
        if name not in files:
            files[name] = _read_external(path, name)
        tensor.raw_data = _slice(path, name, files[name], entries)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
    try:
        return (model.SerializeToString(), files) if files else (content, files)
    except Exception as error:
        raise EngineError(f"model {path} and its external data are larger than 2 GiB: {cause_of(error)}") from error


def _external_tensors(message: Any) -> Iterator["TensorProto"]:
    """Find the tensors with external data anywhere in a protobuf message of ONNX: graphs within graphs, functions."""
    from onnx import TensorProto

    for description, value in message.ListFields():
        if description.message_type is None:
            continue
        for part in [value] if hasattr(value, "ListFields") else value:
            if isinstance(part, TensorProto) and part.data_location == TensorProto.EXTERNAL:
                yield part
            else:
                yield from _external_tensors(part)


def _read_external(path: str, name: str) -> bytes:
    if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise EngineError(f"model {path} names external data outside its folder ({name!r}); save it again beside them")
    external = str(Path(path).parent / name)
    return _read(external, f"{one_line(external)}, external data of model {path},", "copy it beside the .onnx")


def _slice(path: str, name: str, content: bytes, entries: Mapping[str, str]) -> bytes:
    """Cut a tensor's bytes out of a file of external data."""
    try:
        start = int(entries.get("offset") or 0)
        stop = start + int(entries["length"]) if entries.get("length") else len(content)
    except ValueError:
        start = stop = -1
    if not 0 <= start <= stop <= len(content):
        raise EngineError(
            f"model {path} needs bytes that {one_line(name)}, {len(content)} bytes long, does not have: copy both again"
        )
    return content[start:stop]


def _digest(parts: Mapping[str, bytes]) -> str:
    hasher = xxhash.xxh3_64()
    for name in sorted(parts):
        hasher.update(f"{name}\0{len(parts[name])}\0".encode())
        hasher.update(parts[name])
    return hasher.hexdigest()
