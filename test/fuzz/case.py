"""Change one input, run it, and judge: one case, decided by seed, kind and number."""

import functools
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from test.fuzz import edits
from test.fuzz.kinds import KINDS, Kind
from test.fuzz.oracle import Judgement, Product, judge
from test.world import build, use_inline_runner

FILE_EDIT_SHARE = 0.05
"""Of the cases, in which the file itself is replaced, not its content."""


@dataclass(frozen=True)
class Case:
    """One case: `python -m test.fuzz --seed SEED --kinds KIND --case NUMBER` runs it again."""

    seed: int
    kind: str
    number: int


@dataclass(frozen=True)
class Result:
    """What came of a case."""

    case: Case
    judgement: Judgement
    change: str = ""
    seconds: float = 0.0


class Runner:
    """Runs cases in a folder of this process, which works in it.

    Attributes:
        intact: the folder of the intact inputs, made if missing.
    """

    def __init__(self, intact: Path, folder: Path) -> None:
        self._patches = pytest.MonkeyPatch()
        use_inline_runner(self._patches)
        self._intact, self._folder = intact, folder
        if not intact.exists():
            build(intact)
        self._products = functools.cache(self._intact_product)

    def close(self) -> None:
        """Undo the changes of this process."""
        self._patches.undo()

    def run(self, case: Case, report: Callable[[str], None]) -> Judgement:
        """Run one case.

        Args:
            report: told what is changed before anything runs.
        """
        kind = KINDS[case.kind]
        draw = random.Random(f"{case.seed} {case.kind} {case.number}")
        glob = draw.choice(kind.targets)
        targets = sorted(str(path.relative_to(self._intact)) for path in self._intact.glob(glob) if path.is_file())
        target = draw.choice(targets)
        intact = self._products(case.kind, target)
        self._copy(kind)
        report(f"{_change(draw, Path(target), kind)} {target}")
        names = f"{Path(target).name.replace('.', '[.]')}|{kind.names}"
        return judge(lambda: kind.route(target), intact, names, lambda: kind.is_undetectable(Path(target)))

    def _intact_product(self, name: str, target: str) -> Product:
        self._copy(KINDS[name])
        return KINDS[name].route(target)[0]

    def _copy(self, kind: Kind) -> None:
        """Copy what the kind's route reads to the folder, which is emptied first."""
        os.chdir(self._intact)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for name in kind.inputs:
            if Path(name).is_dir():
                shutil.copytree(name, self._folder / name)
            else:
                shutil.copy2(name, self._folder / name)
        os.chdir(self._folder)


def _change(draw: random.Random, target: Path, kind: Kind) -> str:
    """Change a file, or put two runs together; return how."""
    if kind.combinations:
        combine = draw.choice(kind.combinations)
        combine(draw, target)
        return combine.__name__
    if draw.random() < FILE_EDIT_SHARE:
        file_edit = draw.choice(edits.FILES)
        file_edit(target)
        return file_edit.__name__
    before = target.read_bytes()
    edit = draw.choice(kind.edits)
    after = edit(draw, before)
    target.write_bytes(after)
    return edit.__name__ if after != before else f"{edit.__name__} (changes nothing)"
