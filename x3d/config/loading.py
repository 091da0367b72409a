"""The configuration: PySlowFast's keys that evaluation knows, and this suite's own X3D_* nodes.

The sections of the schema are strict: a key that is not in it is an error. PySlowFast's other sections are accepted
and not read, so its yaml files load unchanged.
"""

import difflib
import json
import math
from collections.abc import Sequence
from typing import Any

from fvcore.common.config import CfgNode

from x3d.config.schema import CHOICES, LISTS, MINIMUM, SCHEMA, UNREAD


def get_cfg() -> CfgNode:
    """Build the default configuration: PySlowFast 9839d13's values and this suite's."""
    return CfgNode(json.loads(json.dumps(SCHEMA)))


def load_cfg(path: str, opts: Sequence[str] = ()) -> CfgNode:
    """Read a yaml file, apply `KEY VALUE` pairs over it, check the result and freeze it.

    Args:
        path: a yaml file, PySlowFast's or this suite's. Only plain yaml types are read.
        opts: KEY VALUE KEY VALUE ..., each key as SECTION.NAME.
    Raises:
        ValueError: unknown key, wrong type or value, or keys that contradict each other; the text
            names the key and what to write instead.
    """
    try:
        content = CfgNode.load_yaml_with_base(path)
    except OSError as error:
        raise ValueError(f"--cfg {path}: {error.strerror}; give a yaml such as configs/X3D_S.yaml") from error
    except TypeError as error:
        raise ValueError(f"--cfg {path} holds no sections; give a yaml such as configs/X3D_S.yaml") from error
    except Exception as error:
        raise ValueError(f"--cfg {path} is not plain yaml: {error}") from error
    cfg = get_cfg()
    for section, values in content.items():
        if section in UNREAD:
            continue
        if section in SCHEMA and not isinstance(values, dict):
            raise ValueError(f"{section} in {path} must be a section of keys, got {values!r}")
        if section not in SCHEMA:
            _check_known(str(section), f"in {path}")
        for name, value in values.items():
            _set_key(cfg, f"{section}.{name}", value, f"in {path}")
    _apply_opts(cfg, opts)
    _validate(cfg)
    cfg.freeze()
    return cfg


def changed_keys(cfg: CfgNode) -> str:
    """Spell the keys that differ from the defaults, as they would stand on the command line."""
    changed = (
        f"{section}.{key} {cfg[section][key]!r}"
        for section, keys in SCHEMA.items()
        for key, default in keys.items()
        if cfg[section][key] != default
    )
    return " ".join(changed)


def _apply_opts(cfg: CfgNode, opts: Sequence[str]) -> None:
    if len(opts) % 2:
        raise ValueError(f"command line: KEY VALUE pairs expected, but {opts[-1]!r} stands alone")
    for key, value in zip(opts[::2], opts[1::2], strict=True):
        if key.split(".")[0] not in UNREAD:
            _set_key(cfg, key, value, "on the command line")


def _set_key(cfg: CfgNode, key: str, value: Any, where: str) -> None:
    _check_known(key, where)
    section, name = key.split(".")
    default = SCHEMA[section][name]
    if isinstance(default, str):
        cfg[section][name] = "" if value is None else str(value)
        return
    try:
        if isinstance(default, float):
            value = float(value)
        cfg.merge_from_list([key, value])
    except (TypeError, ValueError, AssertionError) as error:
        kind = type(default).__name__
        raise ValueError(f"{key} {where}: {kind} expected (such as {default!r}), got {value!r}") from error


def _check_known(key: str, where: str) -> None:
    section, _, name = key.partition(".")
    if section not in SCHEMA:
        candidates = sorted([*SCHEMA, *UNREAD])
    elif name not in SCHEMA[section]:
        candidates = [f"{section}.{known}" for known in SCHEMA[section]]
    else:
        return
    wrong = key if section in SCHEMA else section
    near = difflib.get_close_matches(wrong, candidates, n=1, cutoff=0.0)
    raise ValueError(f"{key} {where} is not a configuration key; the nearest is {near[0]}")


def _validate(cfg: CfgNode) -> None:
    def value_of(key: str) -> Any:
        section, name = key.split(".")
        return cfg[section][name]

    faults = [
        f"{key} is {value_of(key)!r}; allowed: {', '.join(map(repr, allowed))}"
        for key, allowed in CHOICES.items()
        if value_of(key) not in allowed
    ]
    faults += [
        f"{key} is {value_of(key)!r}; at least {least} is needed"
        for key, least in MINIMUM.items()
        if not least <= value_of(key) < math.inf
    ]
    for key, length in LISTS.items():
        if len(value_of(key)) != length or not all(isinstance(item, int | float) for item in value_of(key)):
            faults.append(f"{key} is {value_of(key)!r}; {length} numbers are needed")
    if 0 in cfg.DATA.STD:
        faults.append(f"DATA.STD is {cfg.DATA.STD!r}; zero cannot be divided by")
    if not cfg.DATA.PATH_LABEL_SEPARATOR:
        faults.append("DATA.PATH_LABEL_SEPARATOR is empty; give the character between path and label")
    faults = faults or _crop_faults(cfg)
    if faults:
        raise ValueError("configuration: " + "; ".join(faults))


def _crop_faults(cfg: CfgNode) -> list[str]:
    """Hold crop size and number of crops against each other, as X3D was trained and published."""
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
            f"have DATA.TRAIN_JITTER_SCALES[0] pixels: set DATA.TEST_CROP_SIZE {several}, or TEST.NUM_SPATIAL_CROPS 1"
        ]
    if math.ceil(crop / 32) < math.ceil(one / 32):
        return [
            f"DATA.TEST_CROP_SIZE is {crop}; the head pools over {one} pixels (DATA.TRAIN_CROP_SIZE): set at least that"
        ]
    return []
