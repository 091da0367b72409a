"""The record beside an .om of how it was converted: `x3d_s_bs8.json` of `x3d_s_bs8.om`."""

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

from x3d import __version__
from x3d.errors import InputError
from x3d.files import read_regular
from x3d.storage.atomic import write_json


@dataclass(frozen=True)
class ConversionRecord:
    """How ATC converted a model.

    Attributes:
        command: of ATC, as it was run in a folder with the ONNX model alone.
        cann: version of CANN; None: it is not recorded where CANN is installed.
        soc: the chip, such as Ascend310P3.
        input_dtype: float32 or float16.
        onnx_digest, om_digest: of ModelFile.
        seconds: that ATC took.
        x3d_eval: version of this suite.
    """

    command: str
    cann: str | None
    soc: str
    precision_mode: str
    input_dtype: str
    batch_size: int
    onnx_digest: str
    om_digest: str
    seconds: float
    x3d_eval: str = __version__


_TYPES = get_type_hints(ConversionRecord)

logger = logging.getLogger(__name__)


def record_path(om: Path) -> Path:
    """Name the record of an .om."""
    return om.with_suffix(".json")


def write_conversion(om: Path, record: ConversionRecord) -> None:
    """Write the record of an .om.

    Raises:
        OSError: it cannot be written.
    """
    write_json(record_path(om), asdict(record))


def read_conversion(om: str | os.PathLike[str], om_digest: str) -> ConversionRecord | None:
    """Read the record beside an .om.

    Args:
        om_digest: of the .om as it is.
    Returns:
        None: there is none, such as of an .om that ATC was called for by hand; one that is unusable is logged.
    Raises:
        InputError: it is the record of another .om.
    """
    path = record_path(Path(om))
    try:
        record = _parse(read_regular(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        logger.warning("%s is no usable record of a conversion, so %s is not checked with it: %s", path, om, reason)
        return None
    if record.om_digest != om_digest:
        raise InputError(
            f"{path} records the conversion of another model than {om} is; convert it again, or remove {path.name}"
        )
    return record


def _parse(data: bytes) -> ConversionRecord:
    """Parse a record, and check that each key has a value of its type.

    Raises:
        ValueError, RecursionError: it is another file.
    """
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("a JSON object is expected")
    for name, expected in _TYPES.items():
        if name not in content or not isinstance(content[name], expected) or isinstance(content[name], bool):
            raise ValueError(f"{name} is missing or of another type")
    return ConversionRecord(**{name: content[name] for name in _TYPES})
