"""What decides a run's outputs: configuration, list, versions, model. Outputs of different facts are never mixed."""

import hashlib
import importlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from x3d import __version__
from x3d.config.loading import view_config
from x3d.dataset.annotations import Video
from x3d.dataset.naming import views_per_video

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

    from x3d.network.engine import Engine

DECODING = {"av": "av", "opencv": "cv2"}
"""Packages that decide the views, by the name in the facts: the module that knows its version."""


def view_facts(cfg: "CfgNode", videos: Sequence[Video]) -> dict[str, Any]:
    """Collect what decides the views of a list of videos: configuration, list and versions."""
    config = view_config(cfg)
    return {
        "config": config,
        "config_digest": digest(config),
        "list_digest": digest([[video.listed, video.label] for video in videos]),
        "num_videos": len(videos),
        "views_per_video": views_per_video(cfg),
        "versions": versions(DECODING),
    }


def evaluation_facts(
    cfg: "CfgNode", videos: Sequence[Video], model_path: str, engine: "Engine", batch_size: int
) -> dict[str, Any]:
    """Collect what decides the rows of an evaluation: that of the views, how they are joined, model and engine."""
    facts = view_facts(cfg, videos)
    for key in ("X3D_PREPROCESS.FORMAT", "X3D_PREPROCESS.BACKEND"):
        del facts["config"][key]
    facts["config"]["DATA.ENSEMBLE_METHOD"] = cfg.DATA.ENSEMBLE_METHOD
    facts["config_digest"] = digest(facts["config"])
    facts["versions"] = versions({**DECODING, **engine.packages})
    return facts | {
        "model_digest": model_digest(model_path),
        "num_classes": cfg.MODEL.NUM_CLASSES,
        "engine": engine.name,
        "device": engine.device,
        "batch_size": batch_size,
    }


def versions(modules: Mapping[str, str]) -> dict[str, str]:
    """Tell the versions of this suite and of packages, and the machine's architecture.

    Args:
        modules: by the name to tell it under, the module that knows the version: the packages of one module differ
            (opencv-python, opencv-python-headless; onnxruntime, onnxruntime-gpu).
    Raises:
        ImportError: a module is not installed.
    """
    found = {name: str(importlib.import_module(module).__version__) for name, module in modules.items()}
    return {"x3d": __version__, "machine": platform.machine(), **found}


def digest(values: Any) -> str:
    """Hash JSON-able values to 16 hex digits, the same on every machine."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def model_digest(path: str) -> str:
    """Hash a model's file, of OpenVINO's .xml the .bin of its weights too (xxh3-64)."""
    model, weights = Path(path), Path(path).with_suffix(".bin")
    parts = [model, weights] if model.suffix == ".xml" and weights.exists() else [model]
    hasher = xxhash.xxh3_64()
    for part in parts:
        with open(part, "rb") as file:
            while chunk := file.read(1 << 20):
                hasher.update(chunk)
    return hasher.hexdigest()


def facts_differ(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name what differs between two records of facts, nested ones key by key."""
    texts = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            texts += facts_differ(before, after, f"{prefix}{key}: ")
        elif before != after and not key.endswith("config_digest"):
            texts.append(f"{prefix}{key} was {before!r}, is {after!r}")
    return texts
