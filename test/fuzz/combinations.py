"""Put the files of two runs together, as a user does who runs a script again or copies a folder."""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

Random = random.Random
Combination = Callable[[Random, Path], None]
"""Changes the folder of results that a summary describes; `<folder>_other` is of another model and `<folder>_part` of
that model and a part of the views."""


def _folder(summary: Path, more: str = "") -> Path:
    return summary.with_name(summary.name.removesuffix("_summary.json") + more)


def _copy_some(draw: Random, source: Path, target: Path) -> None:
    names = sorted(path.name for path in source.iterdir())
    for name in draw.sample(names, draw.randint(1, len(names))):
        shutil.copyfile(source / name, target / name)


def copy_results_of_another_model(draw: Random, summary: Path) -> None:
    """Replace some results by those of another model."""
    _copy_some(draw, _folder(summary, "_other"), _folder(summary))


def take_summary_of_another_run(draw: Random, summary: Path) -> None:
    """Replace the summary by that of another model or of a part of the views."""
    shutil.copyfile(_folder(summary, draw.choice(["_other_summary.json", "_part_summary.json"])), summary)


def write_over_an_older_run(draw: Random, summary: Path) -> None:
    """Write the results and the summary of a part of the views into the folder of an older run."""
    shutil.copytree(_folder(summary, "_part"), _folder(summary), dirs_exist_ok=True)
    shutil.copyfile(_folder(summary, "_part_summary.json"), summary)


def take_another_list(draw: Random, summary: Path) -> None:
    """Replace the list by another one of the same length."""
    path = Path("data/test.csv")
    names, labels = zip(*(line.split() for line in path.read_text().splitlines()), strict=True)
    names = draw.choice([names[1:] + names[:1], tuple(f"other-{name}" for name in names)])
    path.write_text("".join(f"{name} {label}\n" for name, label in zip(names, labels, strict=True)))


COMBINATIONS: Sequence[Combination] = (
    copy_results_of_another_model,
    take_summary_of_another_run,
    write_over_an_older_run,
    take_another_list,
)
