"""Open and run a converted model, with one interface for all engines.

Every engine takes (N, 3, T, C, C) of the type of the model's input, to which run_batch converts, and returns
(N, NUM_CLASSES) float32. It computes in the precision asked for, or does not open; an .om runs in the precision chosen
at conversion.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from x3d.errors import EngineError, cause_of
from x3d.network.ais_bench_engine import AisBenchEngine
from x3d.network.model_file import ModelFile
from x3d.network.onnxruntime_engine import OnnxRuntimeEngine
from x3d.network.openvino_engine import OpenVinoEngine
from x3d.network.signature import check_names
from x3d.video.dtype import convert


class Engine(Protocol):
    """The interface of every engine."""

    name: str
    packages: ClassVar[Mapping[str, str]]
    """Packages that decide its outputs, as x3d.storage.provenance.versions takes them."""
    device: str
    """The kind of device it runs on, without a number: CPU, GPU, CUDA, CANN, NPU."""
    precision: str
    """What it computes in: f32, bf16, f16 or tf32; om: what was chosen when an .om was converted."""
    batch_size: int | None
    """Views per batch if the model fixes it, None if it is dynamic."""
    view_shape: tuple[int, ...]
    """Shape of one view, (3, T, C, C)."""
    input_dtype: str
    """Type of the values that the model takes: float32 or float16."""
    num_classes: int

    def infer(self, batch: np.ndarray) -> np.ndarray:
        """Run one batch and return the model's output, (N, num_classes) float32; run_batch checks that it is."""


@dataclass(frozen=True)
class EngineInfo:
    """An open engine as a value, for a process that has not opened it.

    Attributes:
        versions: of the packages that decide its outputs.
        name, device, precision, batch_size, view_shape, num_classes: those of Engine.
    """

    name: str
    versions: Mapping[str, str]
    device: str
    precision: str
    batch_size: int | None
    view_shape: tuple[int, ...]
    num_classes: int

    @classmethod
    def of(cls, engine: Engine, versions: Mapping[str, str]) -> "EngineInfo":
        """Describe an open engine."""
        names = [field.name for field in dataclasses.fields(cls) if field.name != "versions"]
        return cls(versions=versions, **{name: getattr(engine, name) for name in names})


ENGINES: dict[str, type[OpenVinoEngine] | type[OnnxRuntimeEngine] | type[AisBenchEngine]] = {
    "openvino": OpenVinoEngine,
    "onnxruntime": OnnxRuntimeEngine,
    "ais_bench": AisBenchEngine,
}
ONNX_ENGINES = ("openvino", "onnxruntime")


def resolve_engine(model_path: str, engine: str) -> str:
    """Choose the engine of a model by its suffix.

    Args:
        engine: as open_engine takes it.
    Returns:
        A key of ENGINES.
    Raises:
        EngineError: the engine does not run such models.
    """
    is_om, is_xml = (model_path.lower().endswith(suffix) for suffix in (".om", ".xml"))
    if engine == "auto":
        engine = "ais_bench" if is_om else "openvino"
    if is_om != (engine == "ais_bench"):
        raise EngineError(
            f"model {model_path}: engine ais_bench runs .om files and only it does; {engine} was asked for"
        )
    if is_xml and engine != "openvino":
        raise EngineError(
            f"model {model_path}: engine openvino runs .xml files and only it does; {engine} was asked for"
        )
    return engine


def split_devices(device: str) -> list[str]:
    """Split several numbered devices of one kind: `0,1,2` or `cuda:0,cuda:1`; anything else is one device.

    Raises:
        EngineError: one is named twice, or they are of several kinds.
    """
    devices = [name.strip() for name in device.split(",")]
    if len(devices) < 2 or not all(re.fullmatch(r"([A-Za-z]+[.:])?\d+", name) for name in devices):
        return [device]
    if len(set(devices)) < len(devices) or len({name.rstrip("0123456789") for name in devices}) > 1:
        raise EngineError(f"devices {device}: different ones of one kind are expected, such as 0,1 or cuda:0,cuda:1")
    return devices


def device_kind(model_path: str, device: str) -> str:
    """Name the kind of a device or of several, as split_devices takes them, in capitals: CPU, GPU, CUDA, CANN, NPU."""
    if model_path.lower().endswith(".om"):
        return "NPU"
    kind = re.split("[.:,]", device.upper())[0].removesuffix("EXECUTIONPROVIDER")
    return "CPU" if not kind or kind.isdigit() else kind


def open_engine(
    model: ModelFile, engine: str = "auto", device: str = "", num_threads: int = 0, precision: str = "f32"
) -> Engine:
    """Load a model into an engine and check its inputs and outputs.

    Args:
        model: an .onnx file, OpenVINO's .xml, or an .om.
        engine: a key of ENGINES, or auto: ais_bench for an .om, else OpenVINO.
        device: as the engine names it; a bare number is the NPU's for ais_bench, and the CPU for the others.
        num_threads: on a CPU; 0: all cores.
        precision: what to compute in: f32, bf16, f16 or tf32; of an .om f32 only, which leaves it as it is.
    Raises:
        EngineError: other inputs or outputs than x3d.network.signature allows, the device has no native support for the
            precision, or the engine cannot load or run the model there; the text names file and device.
    """
    engine = resolve_engine(model.path, engine)
    is_om = engine == "ais_bench"
    if not is_om and not model.path.lower().endswith(".xml"):
        check_names(model.path, model.content)
    if device.isdigit() and not is_om:
        device = ""
    try:
        return ENGINES[engine](model, device, num_threads, precision)
    except EngineError:
        raise
    except ModuleNotFoundError as error:
        raise EngineError(f"engine {engine} is not installed: {error}") from error
    except ImportError as error:
        raise EngineError(f"engine {engine} cannot be imported: {cause_of(error)}") from error
    except Exception as error:
        raise EngineError(
            f"engine {engine} cannot load {model.path} on {device or 'its default device'}: {cause_of(error)}"
        ) from error


def pad_batch(batch: np.ndarray, batch_size: int) -> np.ndarray:
    """Pad a batch with copies of its first view; the caller drops their outputs.

    Args:
        batch: (N, 3, T, C, C), 1 <= N <= batch_size.
    Returns:
        (batch_size, 3, T, C, C).
    """
    missing = batch_size - len(batch)
    return np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)]) if missing else batch


def run_batch(engine: Engine, batch: np.ndarray) -> np.ndarray:
    """Run one batch of the model's size, converted to the type of its input.

    Returns:
        (N, num_classes) float32.
    Raises:
        EngineError: the engine fails, or its output has another shape or type.
    """
    try:
        scores = engine.infer(convert(batch, engine.input_dtype))
    except Exception as error:
        raise EngineError(f"engine {engine.name} failed on {engine.device}: {cause_of(error)}") from error
    expected = len(batch), engine.num_classes
    if scores.shape != expected or scores.dtype != np.float32:
        raise EngineError(
            f"engine {engine.name} returned {scores.dtype} {scores.shape} for a batch, not float32 {expected}: the "
            "model is not what it declares; export it again with x3d_pth2onnx.py"
        )
    return scores


def check_runs(engine: Engine, num_views: int) -> None:
    """Run one batch of zeros, so that an engine that fails does so once, before anything else starts.

    Args:
        num_views: of a model of dynamic batch.
    Raises:
        EngineError: as run_batch.
    """
    run_batch(engine, np.zeros((engine.batch_size or num_views, *engine.view_shape), np.float32))


def infer_padded(engine: Engine, batch: np.ndarray) -> np.ndarray:
    """Run a batch that may be shorter than the model's fixed batch size; it is padded, and the extra outputs dropped.

    Returns:
        (N, num_classes) float32.
    Raises:
        EngineError: as run_batch.
    """
    return run_batch(engine, pad_batch(batch, engine.batch_size or len(batch)))[: len(batch)]
