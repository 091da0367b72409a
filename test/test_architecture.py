"""ARCHITECTURE.md lists every module and script, and none that does not exist; its picture has the layers in order."""

import re
import tomllib

from test.helpers import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
LISTED = re.findall(r"^\| `(x3d[\w/]*\.py)` \| \S.* \|$", TEXT, flags=re.MULTILINE)


def test_every_module_has_one_line() -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("x3d_*.py"), *ROOT.glob("x3d/**/*.py")]}
    missing, surplus = sorted(modules - set(LISTED)), sorted(set(LISTED) - modules)
    assert not missing, f"ARCHITECTURE.md: add a line '| `<module>` | <content> |' for {', '.join(missing)}"
    assert not surplus, f"ARCHITECTURE.md: delete the lines of {', '.join(surplus)}, which do not exist"
    assert len(LISTED) == len(modules), "ARCHITECTURE.md lists a module twice"


def test_the_picture_has_the_layers_of_the_import_contract() -> None:
    picture = TEXT.split("```")[1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    scripts, *drawn = re.findall(r"^ +(\w[\w |]*\w)  .*$", picture, flags=re.MULTILINE)
    assert scripts.startswith("x3d_")
    assert drawn == layers
