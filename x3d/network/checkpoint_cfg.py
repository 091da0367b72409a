"""Compare the configuration that a checkpoint was trained with, which it carries as yaml, with the given one."""

import logging
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from x3d.config.loading import CONFIGS, load_cfg
from x3d.errors import InputError, cause_of

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

NETWORK_KEYS = (
    "MODEL.ARCH",
    "MODEL.MODEL_NAME",
    "MODEL.NUM_CLASSES",
    "MODEL.HEAD_ACT",
    "X3D.WIDTH_FACTOR",
    "X3D.DEPTH_FACTOR",
    "X3D.BOTTLENECK_FACTOR",
    "X3D.DIM_C1",
    "X3D.DIM_C5",
    "X3D.SCALE_RES2",
    "X3D.BN_LIN5",
    "X3D.CHANNELWISE_3x3x3",
    "RESNET.TRANS_FUNC",
    "RESNET.NUM_GROUPS",
    "RESNET.STRIDE_1X1",
    "RESNET.SPATIAL_DILATIONS",
    "DATA.NUM_FRAMES",
    "DATA.TRAIN_CROP_SIZE",
)
"""Keys that decide the network; several networks have the same tensors. The size of the test crops may differ."""
VIEW_KEYS = (
    *("DATA.SAMPLING_RATE", "DATA.TARGET_FPS", "DATA.USE_OFFSET_SAMPLING"),
    *("DATA.MEAN", "DATA.STD", "DATA.REVERSE_INPUT_CHANNEL"),
)
"""Keys that decide what the network gets to see; an export does not depend on them."""
_SAME_NETWORK = {"PTVX3D": "X3D"}
"""MODEL.MODEL_NAME of pytorchvideo's X3D within PySlowFast -> of the configuration that it is compared with."""
_SIZE_KEYS = ("DATA.NUM_FRAMES", "DATA.TRAIN_CROP_SIZE")
"""Keys in which networks with the same tensors differ, and that vary during a training with MULTIGRID.LONG_CYCLE."""
_SIZE = re.compile(r"x3d_(xs|s|m|l)(?![a-z])", re.IGNORECASE)
"""In the name of a published checkpoint."""


def compared_config(cfg: "CfgNode") -> dict[str, Any]:
    """Collect the values to compare with a checkpoint's, by SECTION.KEY."""
    return {name: _value(cfg, name) for name in (*NETWORK_KEYS, *VIEW_KEYS)}


def check_trained_cfg(path: str, text: object, config: Mapping[str, Any]) -> None:
    """Compare a checkpoint's `cfg` entry with a configuration; log a warning where only the views differ.

    Args:
        text: the entry, yaml; None or empty: the name of the file is compared, which may be a warning.
        config: as compared_config returns it; empty: likewise.
    Raises:
        InputError: a key that decides the network differs; the text names both values and the yaml file that fits.
    """
    if config and not text:
        _check_name(path, config)
    trained = _read_trained(path, text) if text and config else {}
    differing = [name for name, value in trained.items() if not _equal(value, config[name])]
    texts = [f"{name} {trained[name]!r} (--cfg has {config[name]!r})" for name in differing]
    if any(name in NETWORK_KEYS for name in differing):
        raise InputError(f"checkpoint {path} was trained with {', '.join(texts)}; give {_fitting(trained)}")
    if differing:
        logger.warning("checkpoint %s was trained with %s; score it on such views", path, ", ".join(texts))


def _check_name(path: str, config: Mapping[str, Any]) -> None:
    """Log a warning if a file is named like another network than the configured one."""
    size = _SIZE.search(os.path.basename(path))
    if not size:
        return
    name = f"X3D_{size[1].upper()}.yaml"
    published = compared_config(load_cfg(str(CONFIGS / name)))
    differing = [
        f"{key} {published[key]} (--cfg has {config[key]})" for key in _SIZE_KEYS if published[key] != config[key]
    ]
    if differing:
        logger.warning(
            "checkpoint %s is named like a network with %s, and its tensors do not show the difference; if it is one, "
            "give --cfg configs/%s",
            *(path, ", ".join(differing), name),
        )


def _read_trained(path: str, text: object) -> dict[str, Any]:
    """Read the compared keys that a checkpoint's yaml text has, whatever else it holds."""
    import yaml

    try:
        content = yaml.safe_load(text) if isinstance(text, (str, bytes)) else text
        if not isinstance(content, Mapping):
            raise InputError("it holds no sections")
    except Exception as error:  # noqa: BLE001 (yaml's own, and those of values such as dates)
        logger.warning("the cfg entry of checkpoint %s is not compared: %s", path, cause_of(error))
        return {}
    found = {name: _value(content, name) for name in (*NETWORK_KEYS, *VIEW_KEYS)}
    found["MODEL.MODEL_NAME"] = _SAME_NETWORK.get(str(found["MODEL.MODEL_NAME"]), found["MODEL.MODEL_NAME"])
    varying = _SIZE_KEYS if _value(content, "MULTIGRID.LONG_CYCLE") else ()
    return {name: value for name, value in found.items() if value is not None and name not in varying}


def _value(sections: Mapping[str, Any], name: str) -> Any:
    section, key = name.split(".")
    keys = sections.get(section)
    return keys.get(key) if isinstance(keys, Mapping) else None


def _equal(trained: Any, configured: Any) -> bool:
    return bool(trained == configured or str(trained) == str(configured))


def _fitting(trained: Mapping[str, Any]) -> str:
    """Name the yaml file of this suite that a checkpoint was trained with, or the keys to set."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        config = compared_config(load_cfg(str(path)))
        if all(_equal(value, config[name]) for name, value in trained.items() if name in NETWORK_KEYS):
            return f"--cfg configs/{path.name}"
    return "the --cfg of its training"
