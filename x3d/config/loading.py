"""Load a configuration: the keys of PySlowFast that evaluation reads, and this suite's own X3D_* nodes.

The sections of x3d/config/keys.py are strict: an unknown key in them is an error. PySlowFast's other sections are
accepted and not read, so its yaml files load unchanged.
"""

import difflib
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from x3d.config.checks import check_cfg
from x3d.config.key import Value
from x3d.config.keys import KEYS, RENAMED, SECTIONS, UNREAD_SECTIONS, defaults, select_keys

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]
CONFIGS = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parent / "configs"
"""The folder of the yaml files: in an installed package, or beside the package in a clone."""
_EXAMPLE = "give a yaml file such as configs/X3D_S.yaml"


def get_cfg() -> "CfgNode":
    """Build the default configuration: PySlowFast 9839d13's values and this suite's."""
    from fvcore.common.config import CfgNode

    return CfgNode(defaults())


def load_cfg(path: str, opts: Sequence[str] = ()) -> "CfgNode":
    """Read a yaml file, apply `KEY VALUE` pairs over it, check the result and freeze it.

    Args:
        path: a yaml file, PySlowFast's or this suite's. Only plain yaml types are read.
        opts: KEY VALUE KEY VALUE ..., each key as SECTION.NAME.
    Raises:
        ValueError: unknown key, wrong type or value, or keys that contradict each other; the text
            names the key and what to write instead.
    """
    cfg = get_cfg()
    _set_keys(cfg, _file_pairs(path), f"in {path}")
    if len(opts) % 2:
        raise ValueError(f"command line: KEY VALUE pairs expected, but {opts[-1]!r} has no value")
    pairs = zip(opts[::2], opts[1::2], strict=True)
    _set_keys(cfg, (pair for pair in pairs if pair[0].split(".")[0] not in UNREAD_SECTIONS), "on the command line")
    check_cfg(cfg)
    cfg.freeze()
    return cfg


def changed_keys(cfg: "CfgNode", reads: Iterable[str] = SECTIONS) -> str:
    """Format the keys that differ from their defaults as KEY VALUE pairs.

    Args:
        reads: the sections and keys that the caller reads, as for select_keys; others are omitted.
    """
    values = {name: (key, cfg[name.split(".")[0]][key.name]) for name, key in select_keys(reads).items()}
    return " ".join(f"{name} {value!r}" for name, (key, value) in values.items() if value != key.default)


def view_config(cfg: "CfgNode") -> dict[str, Any]:
    """Collect the values that decide the views, by SECTION.KEY."""
    return {name: cfg[name.split(".")[0]][key.name] for name, key in KEYS.items() if key.decides_views}


def _file_pairs(path: str) -> Iterator[tuple[str, object]]:
    """Yield SECTION.KEY and value of everything in a yaml file that is not another tool's."""
    for section, values in _read_yaml(path).items():
        if section in UNREAD_SECTIONS:
            continue
        if section not in SECTIONS:
            _check_known(str(section), f"in {path}")
        if not isinstance(values, dict):
            raise ValueError(f"{section} in {path} must be a section of keys, got {values!r}")
        for name, value in values.items():
            yield f"{section}.{name}", value


def _read_yaml(path: str) -> dict[str, Any]:
    """Read a yaml file of plain types, and the files that its _BASE_ names."""
    import yaml
    from fvcore.common.config import CfgNode

    try:
        with open(path, encoding="utf-8") as file:
            repeated = _repeated_keys(yaml.compose(file, yaml.SafeLoader))
        content = None if repeated else CfgNode.load_yaml_with_base(path)
    except OSError as error:
        raise ValueError(f"--cfg {path}: {error.strerror}; {_EXAMPLE}") from error
    except TypeError as error:
        raise ValueError(f"--cfg {path} holds no sections; {_EXAMPLE}") from error
    except Exception as error:
        raise ValueError(f"--cfg {path} is not plain yaml: {error}") from error
    if repeated:
        raise ValueError(f"{repeated[0]} is in {path} more than once; keep one")
    if not isinstance(content, dict):
        raise ValueError(f"--cfg {path} holds no sections; {_EXAMPLE}")
    return content


def _repeated_keys(document: Any) -> list[str]:
    """List the sections, and the keys of a section, that a yaml document holds more than once."""
    sections = document.value if getattr(document, "id", "") == "mapping" else []
    names = [str(section.value) for section, _ in sections]
    for section, content in sections:
        if content.id == "mapping":
            names += [f"{section.value}.{key.value}" for key, _ in content.value]
    return [name for name, following in pairwise(sorted(names)) if name == following]


def _set_keys(cfg: "CfgNode", pairs: Iterable[tuple[str, object]], where: str) -> None:
    """Set the keys that one source gives; of a key given twice the last counts.

    Raises:
        ValueError: unknown key, wrong type, or a key and its old name with different values.
    """
    given: dict[str, tuple[str, Value]] = {}
    for name, text in pairs:
        new_name = RENAMED.get(name, name)
        _check_known(new_name, where)
        try:
            value = KEYS[new_name].parse(text)
        except ValueError as error:
            raise ValueError(f"{name} {where}: {error}") from error
        other_name, other_value = given.setdefault(new_name, (name, value))
        if other_name != name and other_value != value:
            raise ValueError(f"{other_name} and {name} {where} differ and mean the same; give only {new_name}")
        if new_name != name:
            logger.warning("%s %s is the old name of %s", name, where, new_name)
        given[new_name] = (name, value)
        cfg[new_name.split(".")[0]][KEYS[new_name].name] = value


def _check_known(name: str, where: str) -> None:
    if name in KEYS:
        return
    candidates = {known.upper(): known for known in [*SECTIONS, *sorted(UNREAD_SECTIONS), *KEYS] if known != name}
    nearest = difflib.get_close_matches(name.upper(), candidates, cutoff=0.0)[0]
    raise ValueError(f"{name} {where} is not a configuration key; the nearest is {candidates[nearest]}")
