"""The names of the classes, in the order of the labels: those of DATA.CLASS_NAMES or of Kinetics-400.

Kinetics-400's labels are positions in the names sorted by code point, which is the order of `kinetics400_names.txt`.
"""

import functools
import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.dataset.bad_rows import read_lines
from x3d.errors import InputError, counted, shorten_list
from x3d.files import printable

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

KINETICS400 = Path(__file__).with_name("kinetics400_names.txt")
KINETICS = "Kinetics-400"
"""The source of its names."""
KINETICS400_SHA256 = "e9f2806fe9109b851a80a74841244f6f8c9d10917fa0229cd82bab67f2f8e28f"


@dataclass(frozen=True)
class ClassNames:
    """Names of the classes.

    Attributes:
        names: of every class, as its file has it; None: not known.
        source: where they come from: the path of a file, or KINETICS.
    """

    names: Sequence[str] | None = None
    source: str = "not known"

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "ClassNames":
        """Read the names of the configured classes.

        Raises:
            InputError: the file cannot be read, or does not have one name per class.
        """
        if cfg.DATA.CLASS_NAMES:
            return cls(read_names(cfg.DATA.CLASS_NAMES, cfg.MODEL.NUM_CLASSES), cfg.DATA.CLASS_NAMES)
        return cls(kinetics400_names(), KINETICS) if cfg.MODEL.NUM_CLASSES == 400 else cls()

    def name(self, label: int) -> str:
        """Format the name of a class for people, with control characters escaped; `class 7` if it is not known."""
        return f"class {label}" if self.names is None else printable(self.names[label])

    def find(self, name: str) -> int | None:
        """Return the label of a class by its name in any spelling, None if no class has it.

        Copies of Kinetics spell `hurling (sport)` as `hurling_(sport)`, `hurling_-sport-` or `"hurling (sport)"`.
        """
        label = self._labels.get(name)
        return self._labels.get(normalise(name)) if label is None else label

    @functools.cached_property
    def _labels(self) -> Mapping[str, int]:
        """Labels by name, and by normalised name where only one class has it."""
        names = self.names or ()
        num_classes = Counter(map(normalise, names))
        spelled = {normalise(name): label for label, name in enumerate(names) if num_classes[normalise(name)] == 1}
        spelled.pop("", None)
        return spelled | {name: label for label, name in enumerate(names)}


def normalise(name: str) -> str:
    """Reduce the name of a class to what all spellings have in common: letters and digits, in lower case.

    Letters of any language: of `A 舞` and `A 泳`, a-z alone would be the same. macOS stores them decomposed.
    """
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", name).casefold()
        if unicodedata.category(character)[0] in "LMN"
    )


def read_names(path: str, num_classes: int, option: str = "DATA.CLASS_NAMES") -> list[str]:
    """Read a file with one name per line, in the order of the labels; spaces around a name do not belong to it.

    Args:
        option: with which the file is given, for messages.
    Raises:
        InputError: it cannot be read, has more or fewer names than classes, a blank line, or a name twice.
    """
    try:
        names = [line.strip() for line in read_lines(Path(path), "class names", "give a file with a name per line")]
    except InputError as error:
        raise InputError(f"{option} {error}") from error
    source = f"{option} {path}"
    if len(names) != num_classes:
        raise InputError(
            f"{source} has {counted(len(names), 'line')} and MODEL.NUM_CLASSES is {num_classes}; give one name per "
            "class, in the order of the labels"
        )
    blank = [f"line {number + 1}" for number, name in enumerate(names) if not name]
    if blank:
        raise InputError(f"{source} has no name in {shorten_list(blank)}; give one name per class")
    first = {name: number for number, name in reversed(list(enumerate(names)))}
    repeated = [
        f"{printable(name)} in lines {first[name] + 1} and {number + 1}"
        for number, name in enumerate(names)
        if first[name] != number
    ]
    if repeated:
        raise InputError(f"{source} has names twice: {shorten_list(repeated)}; give each class a name of its own")
    return names


def kinetics400_names() -> list[str]:
    """Read the names of Kinetics-400's classes, in the order of the labels.

    Raises:
        InputError: the package's file is not the one it was released with.
    """
    if hashlib.sha256(KINETICS400.read_bytes()).hexdigest() != KINETICS400_SHA256:
        raise InputError(f"{KINETICS400} was changed; install the package again, or restore the file with git")
    return read_names(str(KINETICS400), 400)
