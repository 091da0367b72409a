"""Provenance of a run: configuration, annotation list, package versions, model hash.

Outputs with different provenance are never combined.
"""

import hashlib
import importlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from x3d import __version__
from x3d.dataset.annotations import Video
from x3d.scoring.aggregate import SCORE_FORMAT
from x3d.video import VIEW_FORMAT

if TYPE_CHECKING:
    from x3d.network.engine import EngineInfo

VIEW_FILE_KEYS = ("X3D_PREPROCESS.FORMAT", "X3D_PREPROCESS.DTYPE", "X3D_PREPROCESS.BACKEND")
"""Keys that decide the files of views; an evaluation writes none."""
UNRECORDED = {"X3D_PREPROCESS.DTYPE": "float32"}
"""Keys that a provenance need not record -> the value that counts then."""
DECODING = {"av": "av", "ffmpeg": "x3d.video.container:ffmpeg_version", "opencv": "cv2"}
"""Packages that decide the views, as `versions` takes them."""
REFERENCE_DECODING = {"torch": "torch", "slowfast": "x3d.slowfast:datasets_digest"}
"""Packages that decide the views of BACKEND slowfast beside DECODING."""
NOTES = {
    "view_format": " (views of another format cannot be combined)",
    "score_format": " (scores of another format cannot be combined)",
    "list_digest": " (other paths, labels or order in the list)",
}
INFORMATIONAL = ("config_digest", "x3d")
"""Keys that are recorded and not compared: a digest of what is compared anyway, and the release of this suite, whose
view_format decides."""


def view_provenance(
    config: Mapping[str, Any], videos: Sequence[Video], views_per_video: int, packages: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Collect what decides the views of a list of videos.

    Args:
        config: the keys that decide the views, with their values.
        videos: the whole list, not a shard of it.
        packages: that decide the views beside DECODING, as `versions` takes them.
    """
    return {
        "config": dict(config),
        "config_digest": digest(config),
        "list_digest": list_digest(videos),
        "num_videos": len(videos),
        "views_per_video": views_per_video,
        "view_format": VIEW_FORMAT,
        "versions": versions({**DECODING, **(packages or {})}),
    }


def evaluation_provenance(
    config: Mapping[str, Any],
    videos: Sequence[Video],
    views_per_video: int,
    ensemble_method: str,
    engine: "EngineInfo",
    model_digest: str,
    batch_size: int,
) -> dict[str, Any]:
    """Collect what decides the score rows of an evaluation: views, their aggregation, model and engine.

    Args:
        config, videos, views_per_video: as view_provenance takes them.
        model_digest: of the ModelFile that the engine runs.
    """
    kept = {key: value for key, value in config.items() if key not in VIEW_FILE_KEYS}
    kept["DATA.ENSEMBLE_METHOD"] = ensemble_method
    views = view_provenance(kept, videos, views_per_video)
    return views | {
        "versions": {**views["versions"], **engine.versions},
        "score_format": SCORE_FORMAT,
        "model_digest": model_digest,
        "num_classes": engine.num_classes,
        "engine": engine.name,
        "device": engine.device,
        "precision": engine.precision,
        "batch_size": batch_size,
    }


def view_dtype(provenance: Mapping[str, Any]) -> str:
    """Look up the type of the values of views, float32 or float16, in their provenance."""
    config = provenance.get("config")
    return str({**UNRECORDED, **(config if isinstance(config, dict) else {})}["X3D_PREPROCESS.DTYPE"])


def versions(modules: Mapping[str, str]) -> dict[str, str]:
    """Collect the versions of this suite and of packages, and the machine's architecture.

    Args:
        modules: name to report -> module that holds the version, or `module:function` that returns it; one module may
            come from several packages (opencv-python, opencv-python-headless; onnxruntime, onnxruntime-gpu). Empty:
            the version of the installed distribution of that name, or unknown.
    Raises:
        ImportError: a module is not installed.
    """
    found = {name: _version(name, module) for name, module in modules.items()}
    return {"x3d": __version__, "machine": platform.machine(), **found}


def _version(name: str, module: str) -> str:
    if not module:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"
    module, _, function = module.partition(":")
    imported = importlib.import_module(module)
    return str(getattr(imported, function)() if function else imported.__version__)


def list_digest(videos: Sequence[Video]) -> str:
    """Hash the paths and labels of a list, in its order."""
    return digest([[video.listed, video.label] for video in videos])


def digest(values: Any) -> str:
    """Hash JSON-able values to 16 hex digits, the same on every machine."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def provenance_seed(provenance: Mapping[str, Any]) -> int:
    """Hash what is compared of a provenance to 64 bits, with which records are bound to it."""

    def compared(values: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in values.items() if key not in INFORMATIONAL}
        return {key: compared(value) if isinstance(value, dict) else value for key, value in kept.items()}

    return int(digest(compared(provenance)), 16)


def provenance_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """List the differences between two provenances, key by key; INFORMATIONAL keys are not compared."""
    differences = []
    for key in sorted({*old, *new} - set(INFORMATIONAL)):
        before, after = (values.get(key, UNRECORDED.get(key)) for values in (old, new))
        if isinstance(before, dict) and isinstance(after, dict):
            differences += provenance_differences(before, after, f"{prefix}{key}: ")
        elif before != after:
            differences.append(f"{prefix}{key} was {before!r}, is {after!r}{NOTES.get(key, '')}")
    return differences
