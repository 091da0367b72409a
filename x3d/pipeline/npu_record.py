"""Collect versions and output of an NPU's tools into a file to attach to an issue, with nothing private in it."""

import getpass
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from x3d import __version__
from x3d.ascend.ais_bench import link_or_copy, measuring_command
from x3d.ascend.atc import LOG_SUFFIX
from x3d.ascend.cann import ROOT, find_toolkit, installed_version, package_version
from x3d.ascend.npu_smi import COMMAND, parse_info
from x3d.ascend.tools import HangingToolError, run_tool, unwinding_on_stop
from x3d.errors import InputError
from x3d.files import read_regular
from x3d.storage.atomic import check_replaceable, write_json

ABOUT = (
    "Versions of Python, CANN, driver and firmware; what npu-smi (with names of processes that use an NPU), atc and "
    "ais_bench print; with --om a short measurement, and ATC's log beside the .om. Names of host and users, paths in "
    "home folders and the current folder, serial numbers and other identifiers of devices are masked."
)
KEYS = frozenset({"about", "commands", "files", "system"})
TIMEOUT_SECONDS = 120.0
RUN_TIMEOUT_SECONDS = 600.0
MAX_CHARACTERS = 200_000
LOOP = 20

_FAILING_ATC = ("atc", "--framework=5", "--model=missing.onnx", "--output=missing", "--soc_version=Ascend310P3")
"""Shows how this ATC writes its errors."""
_COMMANDS = (
    *(("npu-smi", "-v"), COMMAND, ("npu-smi", "info", "-l"), ("npu-smi", "info", "-m")),
    *(
        ("atc", "--help"),
        _FAILING_ATC,
        ("python", "--version"),
        ("python", "-m", "pip", "show", "ais_bench", "aclruntime"),
    ),
    ("python", "-m", "ais_bench", "--help"),
)
_ENVIRONMENT = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH", "ASCEND_OPP_PATH", "ASCEND_RT_VISIBLE_DEVICES")
_IDENTIFIER = re.compile(r"^(.*\b(?:serial|uuid|\w?die[ _]id|mac|ip)\b[^:\n]*:).*$", re.IGNORECASE | re.MULTILINE)
_TEMPORARY = "<temporary folder>"
_PATH_END = r"(?:/[^\s'\":;,)\]]*)?(?![\w.-])"


@dataclass(frozen=True)
class Ran:
    """A command that was run, and what it printed, or why it was not.

    Attributes:
        exit_status: None: it was not run to its end.
    """

    command: str
    exit_status: int | None
    output: Sequence[str]


def record(path: Path, om: str = "") -> Mapping[str, Any]:
    """Collect, and write the file.

    Args:
        om: a model to measure for some batches; empty: none.
    Returns:
        The content of the file.
    Raises:
        InputError: the path names a file of another origin.
        OSError: it cannot be written.
    """
    check_replaceable(path, KEYS)
    mask = Mask()
    with unwinding_on_stop(), tempfile.TemporaryDirectory(prefix="x3d-record-") as folder:
        mask.add(folder, _TEMPORARY)
        ran = [_run(command, TIMEOUT_SECONDS) for command in _COMMANDS]
        ran += [_run(command, TIMEOUT_SECONDS) for command in _board_commands(ran)]
        files = {f"{file.parent.name}/{file.name}": _read(file, mask) for file in _version_files()}
        if om:
            ran.append(_measure(om, Path(folder)))
            if (log := Path(om).with_name(f"{Path(om).stem}{LOG_SUFFIX}")).is_file():
                files["atc.log"] = _read(log, mask)
            summaries = [*Path(folder).glob("*_summary.json"), *Path(folder).glob("*/sumary.json")]
            files |= {file.name: _read(file, mask) for file in summaries}
    content = {
        "about": ABOUT,
        "x3d_eval": __version__,
        "system": {name: mask(text) if text else text for name, text in _system().items()},
        "commands": [asdict(_masked(one, mask, folder)) for one in ran],
        "files": files,
    }
    write_json(path, content)
    return content


class Mask:
    """Replaces what identifies a person or a machine."""

    def __init__(self) -> None:
        paths = [(home, _PATH_END, "<home>") for home in _homes()]
        paths += [(str(Path.cwd()), r"(?![\w-])", "<current folder>")] if Path.cwd() != Path("/") else []
        paths.sort(key=lambda entry: len(entry[0]), reverse=True)
        self._patterns = [(rf"(?<![\w.-]){re.escape(path)}{end}", instead) for path, end, instead in paths]
        host = platform.node()
        users = {_user(), *(os.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER"))} - {"root"}
        for names, instead in ((users, "<user>"), ({host, host.partition(".")[0]}, "<host>")):
            for name in sorted(names - {""}, key=len, reverse=True):
                self._patterns.append((rf"(?<![\w-]){re.escape(name)}(?![\w-])", instead))

    def add(self, path: str, instead: str) -> None:
        """Replace a folder too."""
        self._patterns.insert(0, (rf"{re.escape(path)}(?![\w-])", instead))

    def __call__(self, text: str) -> str:
        for pattern, instead in self._patterns:
            text = re.sub(pattern, instead, text)
        return _IDENTIFIER.sub(r"\1 <masked>", text)


def _homes() -> set[str]:
    """Return the paths of this user's home folder, where links lead too."""
    named = {os.path.expanduser("~"), os.environ.get("HOME", "")} - {"", "~"}
    return {path.rstrip("/") for home in named for path in (home, os.path.realpath(home))} - {""}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for it
        return ""


def _board_commands(ran: Sequence[Ran]) -> list[Sequence[str]]:
    """Return a command per NPU and per chip of the table that npu-smi printed."""
    [info] = [one for one in ran if one.command == " ".join(COMMAND)]
    try:
        chips = parse_info("\n".join(info.output))
    except InputError:
        return []
    board = ("npu-smi", "info", "-t", "board", "-i")
    npus = [(*board, str(npu)) for npu in sorted({chip.npu for chip in chips})]
    return [*npus, *((*board, str(chip.npu), "-c", str(chip.chip)) for chip in chips)]


def _run(command: Sequence[str], timeout_seconds: float) -> Ran:
    text = " ".join(command)
    try:
        result = run_tool(command, timeout_seconds)
    except InputError as error:
        return Ran(text, None, [str(error)])
    except HangingToolError as error:
        return Ran(text, None, [*_lines(error.output), str(error)])
    return Ran(text, result.exit_status, _lines(result.output))


def _measure(om: str, folder: Path) -> Ran:
    """Measure a model, under another name, for its path may be private."""
    model = folder / "model.om"
    command = measuring_command(str(model), LOOP, "", str(folder), "measured")
    try:
        link_or_copy(Path(om), model)
    except OSError as error:
        return Ran(" ".join(command), None, [f"--om cannot be copied: {error.strerror}"])
    return _run(command, RUN_TIMEOUT_SECONDS)


def _masked(ran: Ran, mask: Mask, folder: str) -> Ran:
    """Mask what was printed; of a command, whose other words are this module's own, the temporary folder."""
    return Ran(ran.command.replace(folder, _TEMPORARY), ran.exit_status, mask("\n".join(ran.output)).splitlines())


def _version_files() -> Iterator[Path]:
    toolkit = find_toolkit()
    if toolkit:
        yield from sorted(toolkit.glob("*-linux/ascend_toolkit_install.info"))
        yield toolkit / "version.cfg"
    for name in ("driver", "firmware"):
        yield ROOT / name / "version.info"


def _read(path: Path, mask: Mask) -> list[str]:
    try:
        return mask("\n".join(_lines(read_regular(path).decode("utf-8", "backslashreplace")))).splitlines()
    except OSError as error:
        return [f"not read: {error.strerror}"]


def _lines(text: str) -> list[str]:
    return text[:MAX_CHARACTERS].splitlines()


def _system() -> dict[str, str | None]:
    cann = installed_version()
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "release": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "CANN": str(cann) if cann else None,
        "driver": package_version("driver"),
        "firmware": package_version("firmware"),
        **{name: os.environ.get(name) for name in _ENVIRONMENT},
    }
