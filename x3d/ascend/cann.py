"""Find the versions of CANN, driver and firmware that are installed, and compare versions of CANN."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import total_ordering
from pathlib import Path

from x3d.errors import InputError
from x3d.files import read_regular

ROOT = Path("/usr/local/Ascend")
SET_ENV = ROOT / "ascend-toolkit" / "set_env.sh"
"""Usual path before CANN 8.5; from then on it is cann/set_env.sh, and this one may be a link to it."""

_HOMES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")
_TOOLKITS = ("ascend-toolkit/latest", "cann")
_VERSION = re.compile(
    r"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<stage>RC|T)?(?P<number>\d+)(\.(?P<patch>\d+))?"
    r"([.-](?P<pre>alpha|beta)\.?(?P<pre_number>\d+))?",
    re.IGNORECASE,
)
_INSTALL_INFO = re.compile(r"^version=(\S+)", re.MULTILINE | re.IGNORECASE)
_VERSION_CFG = re.compile(r"^(?:toolkit|runtime)_running_version=.*[\[:]([^\[\]:]+)\]\s*$", re.MULTILINE)


@total_ordering
@dataclass(frozen=True)
class CannVersion:
    """A version of CANN: 6.0.RC1 < 6.0.0 < 7.0.RC1.alpha003 < 7.0.RC1 < 8.0.RC2.beta1 < 8.0.RC2 < 8.0.0.

    Raises:
        InputError: another form.
    """

    text: str = field(compare=False)
    key: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        match = _VERSION.fullmatch(self.text.strip())
        if match is None:
            raise InputError(
                f"CANN version {self.text!r}: a version such as 6.0.RC1, 7.0.0 or 8.0.RC2.beta1 is expected"
            )
        parts = match.groupdict()
        stage = ("t", "rc", "").index((parts["stage"] or "").lower())
        pre = ("alpha", "beta", "").index((parts["pre"] or "").lower())
        numbers = (int(parts[name] or 0) for name in ("number", "patch"))
        key = int(parts["major"]), int(parts["minor"]), stage, *numbers, pre, int(parts["pre_number"] or 0)
        object.__setattr__(self, "key", key)

    def __str__(self) -> str:
        return self.text

    def __lt__(self, other: "CannVersion") -> bool:
        return self.key < other.key


def find_toolkit(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> Path | None:
    """Return the folder of CANN's toolkit: of the environment that set_env.sh sets, or the usual one."""
    named = [Path(environment[name]) for name in _HOMES if environment.get(name)]
    return next((path for path in [*named, *(root / name for name in _TOOLKITS)] if path.is_dir()), None)


def find_set_env(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> Path:
    """Return the path of set_env.sh: where it is, or where it usually is."""
    toolkit = find_toolkit(environment, root)
    folders = [toolkit, toolkit.parent] if toolkit else []
    candidates = [*(folder / SET_ENV.name for folder in folders), root / SET_ENV.relative_to(ROOT)]
    return next((path for path in candidates if path.is_file()), SET_ENV)


def installed_version(environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> CannVersion | None:
    """Return CANN's version, None if it is not installed or does not record it."""
    toolkit = find_toolkit(environment, root)
    if toolkit is None:
        return None
    name = "ascend_toolkit_install.info"
    found = [(path, _INSTALL_INFO) for path in [*sorted(toolkit.glob(f"*-linux/{name}")), toolkit / name]]
    for path, pattern in [*found, (toolkit / "version.cfg", _VERSION_CFG)]:
        if (text := _recorded(path, pattern)) and _VERSION.fullmatch(text):
            return CannVersion(text)
    return None


def package_version(name: str, root: Path = ROOT) -> str | None:
    """Return the version of the driver or firmware, as its version.info records it, None without one."""
    return _recorded(root / name / "version.info", _INSTALL_INFO)


def _recorded(path: Path, pattern: re.Pattern[str]) -> str | None:
    try:
        match = pattern.search(read_regular(path).decode(errors="replace"))
    except OSError:
        return None
    return match[1] if match else None
