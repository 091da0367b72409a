import runpy
import sys

import pytest

from test.helpers import ROOT
from x3d.config import tables


def test_the_documents_show_the_table(capsys):
    assert tables.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_help_shows_the_command_on_a_line_of_its_own(capsys):
    with pytest.raises(SystemExit):
        tables.main(["--help"])
    assert "\n    python -m x3d.config.tables [--check]\n" in capsys.readouterr().out


def test_the_module_can_be_run(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tables.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(tables.__file__, run_name="__main__")
    assert ended.value.code == 0


def test_documents_are_rewritten(tmp_path, monkeypatch, capsys):
    patch = (ROOT / "x3d.patch").read_text()
    stale = patch.replace('+        "TIMEOUT": 120,\n', "").replace("+5,41 @", "+5,40 @").replace("+47,3 @", "+46,3 @")
    assert len(patch.splitlines()) - len(stale.splitlines()) == 1
    (tmp_path / "x3d.patch").write_text(stale)
    (tmp_path / "docs").mkdir()
    (tmp_path / tables.REFERENCE).write_text("before\n<!-- configuration keys -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    assert tables.main(["--check"]) == 1
    assert (
        "differ from x3d/config/keys.py: docs/reference.md, x3d.patch; run python -m x3d.config"
        in capsys.readouterr().err
    )
    assert (tmp_path / "x3d.patch").read_text() == stale
    assert tables.main([]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "x3d.patch").read_text() == patch
    assert tables.main(["--check"]) == 0
    text = (tmp_path / tables.REFERENCE).read_text()
    assert text == f"before\n<!-- configuration keys -->\n\n{tables.key_table()}\n<!-- end -->\nafter\n"
    assert '| X3D_WORKERS.ON_ERROR | "skip" | "skip" or "raise" | skip: list every failure' in text


def test_help_of_keys():
    assert tables.keys_help([]) == ""
    assert tables.keys_help(["MODEL.NUM_CLASSES", "DATA.PATH_PREFIX"]) == (
        'configuration keys:\n  DATA.PATH_PREFIX (default: "")\n        folder that the listed paths are relative to\n'
        "  MODEL.NUM_CLASSES (default: 400; accepts 1 to 1,000,000)\n        classes, and the length of a row of scores"
    )
