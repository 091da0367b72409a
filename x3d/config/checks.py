"""Checks of a whole configuration: each value against its key's limits, and values against each other."""

import math
from typing import TYPE_CHECKING

from x3d.config.keys import KEYS
from x3d.errors import InputError

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

_MAX_FLOAT16 = 65504.0


def check_cfg(cfg: "CfgNode") -> None:
    """Check every value of a configuration.

    Raises:
        InputError: values out of their limits or contradicting each other; the text names keys and what is allowed.
    """
    problems = []
    for name, key in KEYS.items():
        value = cfg[name.split(".")[0]][key.name]
        if not key.accepts(value):
            problems.append(f"{name} is {value!r}; allowed: {key.limits}")
    if not cfg.DATA.PATH_LABEL_SEPARATOR:
        problems.append("DATA.PATH_LABEL_SEPARATOR is empty; give the character between path and label")
    problems = problems or _crop_problems(cfg) + _dtype_problems(cfg)
    if problems:
        raise InputError("configuration: " + "; ".join(problems))


def _dtype_problems(cfg: "CfgNode") -> list[str]:
    """Compare the standardised values of black and white with the largest float16."""
    scales = list(zip(cfg.DATA.MEAN, cfg.DATA.STD, strict=True))
    largest = max(max(abs(mean), abs(1 - mean)) / std for mean, std in scales)
    if cfg.X3D_PREPROCESS.DTYPE == "float16" and largest > _MAX_FLOAT16:
        return [
            f"DATA.MEAN and DATA.STD give values up to {largest:g}, and float16 ends at {_MAX_FLOAT16:g}: set "
            "X3D_PREPROCESS.DTYPE float32"
        ]
    return []


def _crop_problems(cfg: "CfgNode") -> list[str]:
    """Compare crop size and number of crops, as X3D was trained and published."""
    crop, one, several = cfg.DATA.TEST_CROP_SIZE, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TRAIN_JITTER_SCALES[0]
    if cfg.TEST.NUM_SPATIAL_CROPS == 1:
        if crop != one:
            return [
                f"DATA.TEST_CROP_SIZE is {crop} with TEST.NUM_SPATIAL_CROPS 1; one crop has DATA.TRAIN_CROP_SIZE "
                f"pixels: set DATA.TEST_CROP_SIZE {one}, or TEST.NUM_SPATIAL_CROPS 3"
            ]
        if several < crop:
            return [f"DATA.TRAIN_JITTER_SCALES[0] is {several}, smaller than the crop: set it to at least {crop}"]
    elif crop != several:
        return [
            f"DATA.TEST_CROP_SIZE is {crop} with TEST.NUM_SPATIAL_CROPS {cfg.TEST.NUM_SPATIAL_CROPS}; several crops "
            f"have DATA.TRAIN_JITTER_SCALES[0] pixels: set DATA.TEST_CROP_SIZE {several}, "
            f"DATA.TRAIN_JITTER_SCALES[0] {crop}, or TEST.NUM_SPATIAL_CROPS 1"
        ]
    if math.ceil(crop / 32) < math.ceil(one / 32):
        return [
            f"DATA.TEST_CROP_SIZE is {crop}; the head pools over {one} pixels (DATA.TRAIN_CROP_SIZE): set at least that"
        ]
    return []
