"""Load a configuration: the keys of PySlowFast that evaluation reads, and this suite's own X3D_* nodes.

The sections of x3d/config/keys.py are strict: an unknown key in them is an error. PySlowFast's other sections are
accepted and not read, so its yaml files load unchanged.
"""

import contextlib
import difflib
import functools
import logging
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from x3d.config.checks import check_cfg
from x3d.config.key import Value, shorten
from x3d.config.keys import KEYS, RENAMED, SECTIONS, UNREAD_SECTIONS, defaults, select_keys
from x3d.config.yaml_file import merge, read_yaml
from x3d.errors import InputError
from x3d.files import short_path

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]
CONFIGS = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parent / "configs"
"""The folder of the yaml files: in an installed package, or beside the package in a clone."""


def get_cfg() -> "CfgNode":
    """Build the default configuration: PySlowFast 9839d13's values and this suite's."""
    from fvcore.common.config import CfgNode

    return CfgNode(defaults())


def load_cfg(path: str, opts: Sequence[str] = ()) -> "CfgNode":
    """Read a yaml file, apply `KEY VALUE` pairs over it, check the result and freeze it.

    Args:
        path: a yaml file, PySlowFast's or this suite's, as find_config takes it. Only plain yaml types are read.
        opts: KEY VALUE KEY VALUE ..., each key as SECTION.NAME.
    Raises:
        InputError: unknown key, wrong type or value, or keys that contradict each other; the text
            names the key and what to write instead.
    """
    cfg = get_cfg()
    path = find_config(path)
    content = functools.reduce(merge, (content for _, content in read_yaml(path)))
    _set_keys(cfg, _file_pairs(content, path), f"in {path}")
    pairs = [pair for pair in _opt_pairs(opts) if pair[0].split(".")[0] not in UNREAD_SECTIONS]
    _set_keys(cfg, pairs, "on the command line")
    check_cfg(cfg)
    cfg.freeze()
    return cfg


def find_config(path: str) -> str:
    """Find a yaml file; if it does not exist, the one of this suite that `X3D_M` or `configs/X3D_M.yaml` names.

    Raises:
        InputError: there is neither; the text names those of this suite.
    """
    if os.path.lexists(path) or not path or "\0" in path:
        return path
    known = {file.stem: file for file in sorted(CONFIGS.glob("*.yaml"))}
    folder, name = os.path.split(os.path.normpath(path))
    found = known.get(name.removesuffix(".yaml"))
    if folder not in ("", CONFIGS.name) or found is None:
        raise InputError(f"--cfg {path} does not exist; give a yaml file, or the name of one of {', '.join(known)}")
    return str(found)


def describe_cfg(cfg: "CfgNode", path: str, reads: Iterable[str] = SECTIONS) -> str:
    """Format what decides a run as one would type it: `--cfg FILE KEY VALUE ...`, with the keys that differ from FILE.

    Args:
        path: that load_cfg read; FILE is the lowest one that it builds on, which describes the network and its views.
        reads: the sections and keys that the caller reads, as for select_keys; others are omitted.
    """
    base_path, content = read_yaml(find_config(path))[0]
    base = _values_of(content)
    words = ["--cfg", _format(base_path)]
    for name, key in select_keys(reads).items():
        value = cfg[name.split(".")[0]][key.name]
        if value != base.get(name, key.default):
            words += [name, _format(value)]
    return " ".join(words)


def _values_of(content: Mapping[Any, Any]) -> "dict[str, Value | None]":
    """Parse the values of a file by SECTION.KEY; None: of another type, which a file over it replaces."""
    values: dict[str, Value | None] = {}
    for section, keys in content.items():
        for name, text in keys.items() if isinstance(keys, dict) else ():
            new_name = RENAMED.get(f"{section}.{name}", f"{section}.{name}")
            if new_name in KEYS:
                values[new_name] = None
                with contextlib.suppress(ValueError):
                    values[new_name] = KEYS[new_name].parse(text)
    return values


def _format(value: Value) -> str:
    """Format a value as one would type it: a path below the current folder relative to it, a number with six digits."""
    if isinstance(value, list):
        return f"[{','.join(map(_format, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    return shlex.quote(short_path(value)) if isinstance(value, str) else str(value)


def view_config(cfg: "CfgNode") -> dict[str, Any]:
    """Collect the values that decide the views, by SECTION.KEY."""
    return {name: cfg[name.split(".")[0]][key.name] for name, key in KEYS.items() if key.decides_views}


def _opt_pairs(opts: Sequence[str]) -> list[tuple[str, str]]:
    """Pair keys and values of the command line.

    Raises:
        InputError: KEY=VALUE, or a key without a value.
    """
    for name in opts[::2]:
        key, equals, value = name.partition("=")
        if equals and key.split(".")[0].upper() in {*SECTIONS, *UNREAD_SECTIONS}:
            raise InputError(f"command line: {name}: write key and value with a space, {key} {value}")
    pairs = list(zip(opts[::2], opts[1::2], strict=False))
    alone = [name for name, value in pairs if value in KEYS] + list(opts[len(pairs) * 2 :])
    if alone:
        raise InputError(f"command line: KEY VALUE pairs expected, but {alone[0]!r} has no value")
    return pairs


def _file_pairs(content: Mapping[Any, Any], path: str) -> Iterator[tuple[str, object]]:
    """Yield SECTION.KEY and value of everything in a yaml file that is not another tool's."""
    for section, values in content.items():
        if section in UNREAD_SECTIONS:
            continue
        if section not in SECTIONS:
            _check_known(str(section), f"in {path}")
        if not isinstance(values, dict):
            raise InputError(f"{section} in {path} must be a section of keys, got {shorten(values)}")
        for name, value in values.items():
            yield f"{section}.{name}", value


def _set_keys(cfg: "CfgNode", pairs: Iterable[tuple[str, object]], where: str) -> None:
    """Set the keys that one source gives.

    Raises:
        InputError: unknown key, wrong type, or a key given twice, if only by its old name, with different values.
    """
    given: dict[str, tuple[str, Value]] = {}
    for name, text in pairs:
        new_name = RENAMED.get(name, name)
        _check_known(new_name, where)
        try:
            value = KEYS[new_name].parse(text)
        except ValueError as error:
            raise InputError(f"{name} {where}: {error}") from error
        other_name, other_value = given.setdefault(new_name, (name, value))
        if other_value != value and other_name == name:
            raise InputError(f"{name} {where} is given as {other_value!r} and as {value!r}; keep one")
        if other_value != value:
            raise InputError(f"{other_name} and {name} {where} differ and mean the same; give only {new_name}")
        if new_name != name:
            logger.warning("%s %s is the old name of %s", name, where, new_name)
        cfg[new_name.split(".")[0]][KEYS[new_name].name] = value


def _check_known(name: str, where: str) -> None:
    if name in KEYS:
        return
    candidates = {known.upper(): known for known in [*SECTIONS, *sorted(UNREAD_SECTIONS), *KEYS] if known != name}
    nearest = difflib.get_close_matches(name.upper(), candidates, cutoff=0.0)[0]
    raise InputError(f"{name} {where} is not a configuration key; the nearest is {candidates[nearest]}")
