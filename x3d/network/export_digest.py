"""The digest that an exported .onnx carries of itself, as its last metadata property."""

import re

import xxhash

from x3d.errors import EngineError

FORMAT_KEY, DIGEST_KEY = "export_format", "export_digest"
_HEX_DIGITS = 16
_PROPERTY = b"\x72\x21\x0a\x0d" + DIGEST_KEY.encode() + b"\x12\x10"
"""The property in protobuf's encoding, up to its value: ModelProto.metadata_props, then key and value, with lengths."""
_LAST = re.compile(re.escape(_PROPERTY) + rb"([0-9a-f]{%d})\Z" % _HEX_DIGITS)
_CARRIES_DIGEST = re.compile(rb"\x0a\x0d" + FORMAT_KEY.encode() + rb"\x12(?!\x011)")
"""The property that holds the number of the format, of a format that has a digest."""


def append_export_digest(content: bytes) -> bytes:
    """Append to a serialised ONNX model a metadata property with the xxh3-64 of all bytes before it."""
    return content + _PROPERTY + xxhash.xxh3_64_hexdigest(content).encode()


def check_export_digest(path: str, content: bytes) -> bool:
    """Check the digest of an exported model; other ONNX files have none and pass.

    Args:
        content: of the file, its external data inside.
    Returns:
        Whether there is a digest.
    Raises:
        EngineError: content and digest differ, or there is no digest where the format has one.
    """
    found = _LAST.search(content, max(0, len(content) - len(_PROPERTY) - _HEX_DIGITS))
    if found:
        intact = xxhash.xxh3_64_hexdigest(content[: found.start()]).encode() == found[1]
    else:
        intact = not _CARRIES_DIGEST.search(content)
    if not intact:
        raise EngineError(
            f"model {path} is damaged or was edited after x3d_pth2onnx.py wrote it: export it again; from a file "
            f"edited on purpose remove the metadata properties {FORMAT_KEY} and {DIGEST_KEY}"
        )
    return found is not None
