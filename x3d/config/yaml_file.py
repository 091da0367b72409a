"""Read a yaml file of plain types strictly: a key given twice is an error, not overwritten."""

import os
import re
from collections.abc import Iterator
from typing import Any

from x3d.config.key import shorten
from x3d.errors import InputError, describe_os_error
from x3d.files import read_regular

_BASE = "_BASE_"
_MISREAD = re.compile(r"[-+]?(0[0-7_]+|.*[:_].*)")
_EXAMPLE = "give a yaml file such as configs/X3D_S.yaml"


def read_yaml(path: str) -> list[tuple[str, dict[Any, Any]]]:
    """Read a yaml file and those that it builds on by `_BASE_`.

    Returns:
        Path and content of each, the lowest first.
    Raises:
        InputError: a file cannot be read, is not plain yaml, holds no sections, a key twice or an alias, or builds on
            itself; the text names the file, and the line where it is known.
    """
    return _read(path, f"--cfg {path}", ())


def _read(path: str, where: str, derived: tuple[str, ...]) -> list[tuple[str, dict[Any, Any]]]:
    """Read a file that the files `derived` build on, the one that was given first."""
    if os.path.realpath(path) in derived:
        raise InputError(f"{where} builds on itself; remove its {_BASE} or name another file")
    content = _parse(_decode(path, where), where)
    if content is None:
        raise InputError(f"{where} is empty; {_EXAMPLE}")
    if not isinstance(content, dict):
        raise InputError(f"{where} holds no sections; {_EXAMPLE}")
    if _BASE not in content:
        return [(path, content)]
    base = content.pop(_BASE)
    if not isinstance(base, str) or not base or "\0" in base:
        raise InputError(f"{where}: {_BASE} must be the path of a yaml file, got {base!r}")
    base_path = os.path.join(os.path.dirname(path), os.path.expanduser(base))
    below = _read(base_path, f"{_BASE} {base} of {path}", (*derived, os.path.realpath(path)))
    return [*below, (path, content)]


def _decode(path: str, where: str) -> str:
    try:
        return read_regular(path).decode("utf-8-sig")
    except OSError as error:
        reason = describe_os_error(OSError(error.errno, error.strerror))
        raise InputError(f"{where}: {reason}; {_EXAMPLE}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def _parse(text: str, where: str) -> Any:
    import yaml

    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1
                raise InputError(f"{where}, line {line}: *{event.anchor} is an alias; write the value instead")
        loader = yaml.SafeLoader(text)
        document = loader.get_single_node()
        for name, line in _repeated_keys(document):
            raise InputError(f"{where}, line {line}: {name} is given more than once; keep one")
        return _construct(loader, document, where) if document else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        advice = "; indent with spaces, not tabs" if "'\\t'" in str(error.problem) else ""
        raise InputError(f"{where}, line {line} is not plain yaml: {error.problem}{advice}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not plain yaml: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise InputError(f"{where} is nested too deeply; {_EXAMPLE}") from error


def _construct(loader: Any, document: Any, where: str) -> Any:
    import yaml

    try:
        for text, value, line in _misread_numbers(loader, document):
            raise InputError(
                f"{where}, line {line}: {text} is the number {value} in yaml; write {value}, or quote text"
            )
        return loader.construct_document(document)
    except (yaml.YAMLError, RecursionError, InputError):
        raise
    except Exception as error:  # such as a date that does not exist, or !!int before a word
        raise InputError(f"{where} holds a value that cannot be read: {shorten(str(error))}") from error


def _repeated_keys(node: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield name and line of each key that a mapping within a yaml document holds more than once."""
    if getattr(node, "id", "") == "sequence":
        for item in node.value:
            yield from _repeated_keys(item, prefix)
    elif getattr(node, "id", "") == "mapping":
        seen = set()
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            if name in seen:
                yield name, key.start_mark.line + 1
            seen.add(name)
            yield from _repeated_keys(value, f"{name}.")


def _misread_numbers(loader: Any, node: Any) -> Iterator[tuple[str, int | float, int]]:
    """Yield text, value and line of each number of yaml 1.1 that reads as another: octal 013, sexagesimal 1:30, 1_0."""
    for item in node.value if getattr(node, "id", "") in ("sequence", "mapping") else []:
        for part in item if isinstance(item, tuple) else [item]:
            yield from _misread_numbers(loader, part)
    if getattr(node, "id", "") == "scalar" and _MISREAD.fullmatch(node.value):
        value = loader.construct_object(node)
        if type(value) in (int, float):
            yield node.value, value, node.start_mark.line + 1


def merge(below: dict[Any, Any], above: dict[Any, Any]) -> dict[Any, Any]:
    """Merge two files: of a section in both, the keys of the upper one count."""
    merged = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(name), dict)
        merged[name] = merge(below[name], value) if both else value
    return merged
