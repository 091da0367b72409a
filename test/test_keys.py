import re
import subprocess
import sys

import pytest

from test.helpers import ROOT, read_golden
from x3d.config import get_cfg
from x3d.config.key import Key, spell
from x3d.config.keys import KEYS, RENAMED, SECTIONS, UNREAD_SECTIONS, added_defaults, defaults, is_added, select_keys


def test_defaults_equal_the_references():
    reference = read_golden("slowfast_config.json")["defaults"]
    for section, values in defaults().items():
        theirs = {name: value for name, value in values.items() if not is_added(section, name)}
        if theirs:
            assert theirs == reference[section]
            assert list(map(type, theirs.values())) == [type(reference[section][name]) for name in theirs]


def test_keys_of_this_suite_are_not_the_references():
    reference = read_golden("slowfast_config.json")["defaults"]
    added = added_defaults()
    assert added["DATA"] == {"CLASS_NAMES": ""}
    assert [section for section in added if section in reference] == ["DATA"]
    assert not added["DATA"].keys() & reference["DATA"].keys()


def test_every_section_of_the_reference_is_in_the_table_or_unread():
    reference = set(read_golden("slowfast_config.json")["defaults"])
    assert reference == UNREAD_SECTIONS | {section for section in SECTIONS if not section.startswith("X3D_")}
    assert not UNREAD_SECTIONS & set(SECTIONS)


@pytest.mark.parametrize("name", KEYS)
def test_every_key_has_a_description_and_limits_that_fit_its_type(name):
    key = KEYS[name]
    assert len(key.description) > 5
    assert not key.description.endswith(".")
    assert "|" not in key.description
    assert {type(value) for value in key.allowed} <= {type(key.default)}
    assert (key.length is not None) <= isinstance(key.default, list)
    assert key.accepts(key.default) or key.allowed
    assert key.is_read or not (key.limits or key.decides_views)


def test_no_name_is_declared_twice_and_old_names_are_no_keys():
    assert len(KEYS) == sum(map(len, SECTIONS.values())) == sum(map(len, defaults().values()))
    assert not RENAMED.keys() & KEYS.keys()
    assert set(RENAMED.values()) <= KEYS.keys()


def test_keys_are_selected_by_section_and_by_name_in_the_tables_order():
    assert list(select_keys(["X3D_WORKERS", "TEST.NUM_SPATIAL_CROPS", "DATA_LOADER", "TEST.ENABLE"])) == [
        "TEST.NUM_SPATIAL_CROPS",
        *(f"X3D_WORKERS.{name}" for name in ("NUM", "RAY_ADDRESS", "TIMEOUT", "ON_ERROR")),
    ]


@pytest.mark.parametrize(
    ("default", "given", "parsed"),
    [
        (8, "13", 13),
        (8, 13, 13),
        (1.0, "2", 2.0),
        (1.0, 2, 2.0),
        (1.0, "1e-5", 1e-5),
        (True, "False", False),
        (True, False, False),
        ("", "1e5", "1e5"),
        ("", 310, "310"),
        ("", None, ""),
        ("", " ", " "),
        ([1], "[2, 3]", [2, 3]),
        ([1], " (2, 3)", [2, 3]),
    ],
)
def test_a_value_takes_the_type_of_the_default(default, given, parsed):
    found = Key("NAME", default, "").parse(given)
    assert found == parsed
    assert type(found) is type(parsed)


@pytest.mark.parametrize(
    ("default", "given", "kind"),
    [
        *((8, given, "int") for given in ("many", "1.5", 8.0, True, None, "[8]", "1 +", "{[]: 1}", "")),
        *((1.0, given, "float") for given in ("True", True, None, "1e999", float("inf"), float("nan"), "nan", [1.0])),
        *((True, given, "bool") for given in ("true", "yes", 1, "0", None)),
        *(("", given, "str") for given in (["a"], {"a": 1})),
        *(([1], given, "list") for given in ("abc", "1", 1, None, {"a": 1})),
    ],
)
def test_a_value_of_another_type_is_rejected(default, given, kind):
    text = f"{kind} expected (such as {default!r}), got {'no value' if given is None else repr(given)}"
    with pytest.raises(ValueError, match=re.escape(text)):
        Key("NAME", default, "").parse(given)


@pytest.mark.parametrize(
    ("key", "limits", "good", "bad"),
    [
        (Key("N", 1, ""), "", [-1, 0], []),
        (Key("N", [1], ""), "", [[], [1, "a"]], []),
        (Key("N", "a", "", allowed=("a", "b")), '"a" or "b"', ["a", "b"], ["", "c", "A"]),
        (Key("N", 1, "", allowed=(1, 2, 3)), "1, 2 or 3", [1, 3], [0, 4]),
        (Key("N", "c", "", allowed=("a",)), '"a"', ["a"], ["c"]),
        (Key("N", False, "", allowed=(False,)), "False", [False], [True]),
        (Key("N", [3], "", allowed=([3],)), "[3]", [[3]], [[], [3, 3]]),
        (Key("N", 1, "", minimum=2), "at least 2", [2, 3], [1, -3]),
        (Key("N", 1, "", minimum=0), "at least 0", [0, 3], [-1]),
        (Key("N", 1, "", minimum=1, maximum=10_000), "1 to 10,000", [1, 10_000], [0, 10_001]),
        (Key("N", 1.0, "", minimum=0.01), "at least 0.01", [0.01], [0.0, float("inf"), float("nan")]),
        (Key("N", [], "", length=2), "2 numbers", [[0, -1.5]], [[], [1], [1, 2, 3], [1, "2"], [1, True], [1, [2]]]),
        (Key("N", [], "", minimum=1, length=2), "2 numbers, each at least 1", [[1, 2.5]], [[0, 1], [1, 0.5], [2]]),
    ],
)
def test_limits_are_spelled_and_checked(key, limits, good, bad):
    assert key.limits == limits
    assert [key.accepts(value) for value in good] == [True] * len(good)
    assert [key.accepts(value) for value in bad] == [False] * len(bad)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("DATA.NUM_FRAMES", [2], [1]),
        ("DATA.TEST_CROP_SIZE", [32], [31]),
        ("DATA.TRAIN_CROP_SIZE", [32], [31]),
        ("DATA.STD", [[0.1, 1, 0.5]], [[0.1, 0, 0.1], [0.1, -0.1, 0.1], [0.1, 58.4, 0.1]]),
        ("TEST.NUM_SPATIAL_CROPS", [1, 2, 3], [0, 4]),
        ("MODEL.HEAD_ACT", ["softmax", "sigmoid"], ["none"]),
        ("X3D_PTH2ONNX.OPSET", [11, 17], [10, 18]),
        ("X3D_PTH2ONNX.BATCH_SIZE", [0], [-1]),
        ("X3D_PTH2ONNX.TOLERANCE", [0.0], [-1e-9]),
        ("X3D_WORKERS.NUM", [0], [-1]),
        ("X3D_WORKERS.TIMEOUT", [1], [0]),
        ("X3D_WORKERS.ON_ERROR", ["skip", "raise"], ["stop"]),
    ],
)
def test_limits_of_the_table(name, accepted, refused):
    assert [KEYS[name].accepts(value) for value in accepted] == [True] * len(accepted)
    assert [KEYS[name].accepts(value) for value in refused] == [False] * len(refused)


def test_values_are_spelled_with_double_quotes():
    assert [spell(value) for value in ('a"', True, 1e-5, [0.5])] == ['"a\\""', "True", "1e-05", "[0.5]"]


def test_changing_a_configuration_leaves_the_defaults():
    get_cfg().DATA.MEAN.append(1.0)
    defaults()["RESNET"]["SPATIAL_DILATIONS"][0].append(2)
    assert get_cfg().DATA.MEAN == [0.45, 0.45, 0.45]
    assert get_cfg().RESNET.SPATIAL_DILATIONS == [[1], [1], [1], [1]]
    assert get_cfg().DATA.NUM_FRAMES == 8


def test_importing_the_configuration_is_light():
    code = "import sys, x3d.config; print([m for m in ('fvcore', 'yaml', 'numpy', 'torch') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
