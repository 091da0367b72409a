"""Every fault of the corpus ends with its state, reason, exit status and message, and without a traceback."""

import re
import shutil
from pathlib import Path

import pytest

from test import world
from test.faults import FAULTS, FILES
from test.faults.row import Fault
from x3d.errors import REASONS


@pytest.fixture
def folder(intact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the intact inputs, which is the working folder."""
    shutil.copytree(intact, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    world.use_inline_runner(monkeypatch)
    return tmp_path / "world"


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("fault", [pytest.param(fault, id=f"{area}: {fault.name}") for area, fault in FAULTS])
def test_a_fault_is_reported(fault: Fault, folder: Path) -> None:
    fault.check()


@pytest.mark.parametrize("name", FILES)
def test_a_faulty_video_is_reported(name: str, folder: Path) -> None:
    write, reason = FILES[name]
    write(Path("data/val") / name)
    Fault(
        name,
        lambda: Path("data/test.csv").write_text(f"{name} 0\nh264.mkv 1\n"),
        lambda: world.preprocess("new"),
        1 if reason else 0,
        [rf"{reason}: .*{re.escape(name)}"] if reason else ["2 of 2 videos done"],
        reason=reason,
        folder="new",
    ).check()


def test_the_corpus_has_every_reason() -> None:
    reasons = {fault.reason for _, fault in FAULTS} | {reason for _, reason in FILES.values()}
    assert reasons >= set(REASONS)


def test_every_command_leaves_intact_inputs_without_complaint(folder: Path) -> None:
    for ran in (
        world.preprocess("prep"),
        world.preprocess("stopped"),
        world.infer("small.onnx", "prep", "new"),
        world.score("new"),
        world.score("res", *world.DATA[:2]),
        world.score("ais"),
        world.score("eval"),
        world.evaluate("small.onnx", "eval"),
        world.export("small.pyth", "new.onnx"),
        world.verify(),
    ):
        assert ran.status == 0, ran.err
        assert not re.search(r"WARNING|ERROR|Traceback", ran.err), ran.err
