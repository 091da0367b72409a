import json
import logging
import re

import pytest

from test.helpers import ROOT, read_golden
from x3d.config.keys import KEYS, RENAMED, SECTIONS, UNREAD_SECTIONS, select_keys
from x3d.config.loading import describe_cfg, load_cfg, view_config

MODELS = ("X3D_XS", "X3D_S", "X3D_M", "X3D_L")
S = str(ROOT / "configs/X3D_S.yaml")


def value_of(cfg, name):
    section, key = name.split(".")
    return cfg[section][key]


def write_yaml(folder, text):
    path = folder / "own.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("model", MODELS)
def test_configs_hold_the_keys_of_pyslowfasts_files_that_are_read(model):
    import yaml

    content = read_golden("slowfast_config.json")["files"][model]
    ours = yaml.safe_load((ROOT / f"configs/{model}.yaml").read_text())
    expected = {
        section: {name: value for name, value in content[section].items() if KEYS[f"{section}.{name}"].is_read}
        for section in content
        if section in SECTIONS
    }
    assert ours == {section: values for section, values in expected.items() if values}


@pytest.mark.parametrize("model", MODELS)
def test_pyslowfasts_files_load_with_the_same_values(model, tmp_path):
    path = write_yaml(tmp_path, json.dumps(read_golden("slowfast_config.json")["files"][model]))
    theirs, ours = load_cfg(path), load_cfg(str(ROOT / f"configs/{model}.yaml"))
    for name in select_keys(SECTIONS):
        assert value_of(theirs, name) == value_of(ours, name), name
    assert theirs.DATA.DECODING_BACKEND == "torchvision"


@pytest.mark.parametrize(
    ("opts", "advice"),
    [
        (["DATA.MEEN", "1"], "DATA.MEEN on the command line .* nearest is DATA.MEAN$"),
        (["DATTA.MEAN", "1"], "DATTA.MEAN .* nearest is DATA.MEAN$"),
        (["MEAN", "1"], "MEAN on the command line is not a configuration key; the nearest is DATA.MEAN$"),
        (["DATA", "1"], r"DATA on the command line is not a configuration key; the nearest is DATA\."),
        (["NUM_GPU", "1"], "nearest is NUM_GPUS$"),
        (["QQ", "1"], "QQ on the command line is not a configuration key; the nearest is [A-Z]"),
        (["DATA.NUM_CLASSES", "1"], "nearest is MODEL.NUM_CLASSES$"),
        (["DATA.TRAIN_JITTER_SCALES", "[]"], "SCALES is .*; allowed: 2 numbers, each at least 1$"),
        (["DATA.TEST_CROP_SIZE", "200"], "set DATA.TEST_CROP_SIZE 182, or TEST.NUM_SPATIAL_CROPS 1"),
        (["DATA.MEAN.0", "1"], "nearest is DATA.MEAN$"),
        (["data.num_frames", "1"], "nearest is DATA.NUM_FRAMES$"),
        (["x3d.channelwise_3X3X3", "1"], "nearest is X3D.CHANNELWISE_3x3x3$"),
        (["DATA.NUM_FRAMES", "many"], r"DATA.NUM_FRAMES on the command line: int expected \(such as 8\), got 'many'"),
        (["DATA.NUM_FRAMES"], "KEY VALUE pairs expected, but 'DATA.NUM_FRAMES' has no value"),
        (["DATA.NUM_FRAMES", "4", "--cfg"], "KEY VALUE pairs expected, but '--cfg' has no value"),
        (["DATA.PATH_PREFIX", "DATA.NUM_FRAMES", "4"], "expected, but 'DATA.PATH_PREFIX' has no value"),
        (["DATA.PATH_PREFIX", "DATA.NUM_FRAMES"], "expected, but 'DATA.PATH_PREFIX' has no value"),
        (["DATA.NUM_FRAMES=4"], "DATA.NUM_FRAMES=4: write key and value with a space, DATA.NUM_FRAMES 4$"),
        (["a/b=c", "4"], "a/b=c on the command line is not a configuration key"),
        (["data.num_frames=4"], "data.num_frames=4: write key and value with a space, data.num_frames 4$"),
        (["DATA.NUM_FRAMES=4", "TEST.BATCH_SIZE=4"], "write key and value with a space, DATA.NUM_FRAMES 4$"),
        (["DATA.NUM_FRAMES", "9" * 30], f"DATA.NUM_FRAMES on the command line: int expected .*, got '{'9' * 30}'"),
        (["DATA.NUM_FRAMES", "9" * 9999], r"NUM_FRAMES on the command line: int expected .*, got '9{20,60}\.\.\.9+'"),
        (["DATA.NUM_FRAMES", "[" * 9999], r"NUM_FRAMES on the command line: int expected .*, got '\[+\.\.\.\[+'"),
        (["DATA.MEAN", "[0.1, 1e999, 0.1]"], "DATA.MEAN on the command line: list expected"),
        (["X3D.WIDTH_FACTOR", "nan"], "X3D.WIDTH_FACTOR on the command line: float expected"),
        (["DATA.PATH_LABEL_SEPARATOR", ""], "DATA.PATH_LABEL_SEPARATOR is empty; give the character"),
        (["TEST.NUM_SPATIAL_CROPS", "1"], "set DATA.TEST_CROP_SIZE 160, or TEST.NUM_SPATIAL_CROPS 3"),
        (["DATA.TEST_CROP_SIZE", "160"], "set DATA.TEST_CROP_SIZE 182, or TEST.NUM_SPATIAL_CROPS 1"),
        (
            ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160", "DATA.TRAIN_JITTER_SCALES", "[159, 182]"],
            r"DATA.TRAIN_JITTER_SCALES\[0\] is 159, smaller than the crop: set it to at least 160",
        ),
        (["DATA.TRAIN_CROP_SIZE", "193"], r"DATA.TEST_CROP_SIZE is 182; the head pools over 193 pixels"),
        (
            ["DATA.TEST_CROP_SIZE", "128", "DATA.TRAIN_JITTER_SCALES", "[128, 182]"],
            r"DATA.TEST_CROP_SIZE is 128; the head pools over 160 pixels \(DATA.TRAIN_CROP_SIZE\): set at least that",
        ),
    ],
)
def test_wrong_keys_and_values_are_rejected_with_advice(opts, advice):
    with pytest.raises(ValueError, match=advice):
        load_cfg(S, opts)


@pytest.mark.parametrize(
    "opts",
    [
        ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160"],
        ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160", "DATA.TRAIN_JITTER_SCALES", "[160, 182]"],
        ["TEST.NUM_SPATIAL_CROPS", "2"],
        ["DATA.TRAIN_CROP_SIZE", "192"],
        ["DATA.TEST_CROP_SIZE", "129", "DATA.TRAIN_JITTER_SCALES", "[129, 182]"],
    ],
)
def test_crops_that_fit_are_accepted(opts):
    cfg = load_cfg(S, opts)
    assert str(value_of(cfg, opts[0])) == opts[1]


def test_the_command_line_overrides_the_file():
    assert load_cfg(S, ["DATA.NUM_FRAMES", "4"]).DATA.NUM_FRAMES == 4


def test_keys_of_unread_sections_are_ignored(tmp_path):
    path = write_yaml(tmp_path, (ROOT / "configs/X3D_S.yaml").read_text() + "TRAIN:\n  WRONG: 1\nNUM_GPUS: 8\n")
    cfg = load_cfg(path, ["TRAIN.ENABLE", "False", "NUM_GPUS", "1", "DATA.PATH_PREFIX", "1e5"])
    assert cfg.DATA.PATH_PREFIX == "1e5"
    assert not UNREAD_SECTIONS & set(cfg)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("DATA:\n  NUM_FRAME: 13\n", "DATA.NUM_FRAME in {} is not a configuration key; the nearest is DATA.NUM_FRAMES"),
        ("data:\n  NUM_FRAMES: 13\n", "data in {} is not a configuration key; the nearest is DATA\n"),
        ("DATA:\n  num_frames: 13\n", "DATA.num_frames in {} is not a configuration key; the nearest is DATA.NUM_FR"),
        ("DATA:\n  NUM_FRAMES:\n", "DATA.NUM_FRAMES in {}: int expected (such as 8), got no value"),
        ("DATA:\n  MEAN: [0, .nan, 0]\n", "DATA.MEAN in {}: list expected (such as [0.45, 0.45, 0.45]), got [0, nan"),
        ("X3D:\n  WIDTH_FACTOR: .inf\n", "X3D.WIDTH_FACTOR in {}: float expected (such as 1.0), got inf"),
        (
            "DATA:\n  NUM_FRAMES: 13\n  NUM_FRAMES: 13\n",
            "--cfg {}, line 3: DATA.NUM_FRAMES is given more than once; keep one",
        ),
        ("DATA: {{}}\nTEST: {{}}\nDATA: {{}}\n", "--cfg {}, line 3: DATA is given more than once; keep one"),
        ("DATA: {{A: 1,\n A: 1}}\n", "--cfg {}, line 2: DATA.A is given more than once; keep one"),
        ("TRAIN: {{A: [{{B: 1, B: 2}}]}}\n", "--cfg {}, line 1: TRAIN.A.B is given more than once; keep one"),
        ("DATA:\n\tNUM_FRAMES: 13\n", "--cfg {}, line 2 is not plain yaml: found character '\\t' that cannot start"),
        ("A: &a 1\nB: *a\n", "--cfg {}, line 2: *a is an alias; write the value instead"),
        ("? [1]\n: 2\n", "--cfg {}, line 1 is not plain yaml: found unhashable key"),
        ("A: 1\n---\nA: 1\n", "--cfg {}, line 2 is not plain yaml: but found another document"),
        ("A: \x07\n", "--cfg {} is not plain yaml: unacceptable character #x0007"),
        ("DATA: " + 5000 * "[" + 5000 * "]", "--cfg {} is nested too deeply; give a yaml"),
        ("DATA:\n  NUM_FRAMES: " + 5000 * "9", "--cfg {} holds a value that cannot be read: 'Exceeds the limit"),
        ("A: 2024-13-45\n", "--cfg {} holds a value that cannot be read: 'month must be in 1..12"),
        ("A: 2024-13-45 10:00:00\n", "--cfg {} holds a value that cannot be read: 'month must be in 1..12"),
        ('A: !!int "a:b"\n', "--cfg {} holds a value that cannot be read: "),
        ("A: !!bool x\n", "--cfg {} holds a value that cannot be read: "),
        ("null: 1\n", "None in {} is not a configuration key"),
        ("DATA:\n  NUM_FRAMES: 013\n", "--cfg {}, line 2: 013 is the number 11 in yaml; write 11, or quote text"),
        ("X3D_WORKERS:\n  TIMEOUT: 1:30\n", "--cfg {}, line 2: 1:30 is the number 90 in yaml; write 90, or quote text"),
        ("DATA:\n  MEAN: [0.45, 1:30.5, 0]\n", "--cfg {}, line 2: 1:30.5 is the number 90.5 in yaml; write 90.5"),
        ("DATA:\n  PATH_PREFIX: 1_0\n", "--cfg {}, line 2: 1_0 is the number 10 in yaml; write 10, or quote text"),
        ("DATA:\n  PATH_PREFIX: on\n", "DATA.PATH_PREFIX in {}: str expected (such as ''), got True"),
        ('DATA:\n  PATH_PREFIX: "a\\0b"\n', "DATA.PATH_PREFIX in {}: text without control characters expected, got"),
        ("DATA: 3\n", "DATA in {} must be a section of keys, got 3"),
        ("DATA:\n", "DATA in {} must be a section of keys, got None"),
        ("", "--cfg {} is empty; give a yaml file such as configs/X3D_S.yaml"),
        ("# nothing\n", "--cfg {} is empty; give a yaml"),
        ("- DATA\n", "--cfg {} holds no sections; give a yaml"),
        ("text\n", "--cfg {} holds no sections; give a yaml"),
        ("DATA: [\n", "--cfg {}, line 2 is not plain yaml: expected the node content, but found '<stream end>'"),
    ],
)
def test_a_faulty_file_is_named_with_the_key(text, advice, tmp_path):
    path = write_yaml(tmp_path, text.format())
    with pytest.raises(
        ValueError,
        match="^"
        + re.escape(advice.format(path)).replace(
            r"\
",
            "$",
        ),
    ):
        load_cfg(path)


def test_the_same_key_in_two_sections_is_no_repetition(tmp_path):
    path = write_yaml(tmp_path, (ROOT / "configs/X3D_S.yaml").read_text() + "X3D_PTH2ONNX:\n  BATCH_SIZE: 2\n")
    assert load_cfg(path).X3D_PTH2ONNX.BATCH_SIZE == 2


def test_a_file_can_build_on_another(tmp_path):
    path = write_yaml(tmp_path, f"_BASE_: {S}\nX3D_WORKERS:\n  NUM: 2\n")
    cfg = load_cfg(path)
    assert (cfg.X3D_WORKERS.NUM, cfg.DATA.NUM_FRAMES) == (2, 13)


@pytest.mark.parametrize(
    ("base", "advice"),
    [
        ("_BASE_: missing.yaml\n", "_BASE_ missing.yaml of {}: No such file or directory; give a yaml"),
        ("_BASE_: own.yaml\n", "_BASE_ own.yaml of {} builds on itself; remove its _BASE_ or name another file"),
        ("_BASE_: base.yaml\n", "_BASE_ base.yaml of {}, line 2: DATA is given more than once; keep one"),
        ("_BASE_:\n", "--cfg {}: _BASE_ must be the path of a yaml file, got None"),
        ('_BASE_: "a\\0b"\n', "--cfg {}: _BASE_ must be the path of a yaml file, got 'a\\x00b'"),
        ("_BASE_: [a]\n", "--cfg {}: _BASE_ must be the path of a yaml file, got ['a']"),
    ],
)
def test_a_faulty_base_is_named_with_the_file_that_names_it(base, advice, tmp_path):
    (tmp_path / "base.yaml").write_text("DATA: {}\nDATA: {}\n")
    path = write_yaml(tmp_path, base)
    with pytest.raises(ValueError, match=f"^{re.escape(advice.format(path))}"):
        load_cfg(path)


def test_a_base_is_relative_to_its_file_and_sections_are_merged(tmp_path):
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "first.yaml").write_text(f"_BASE_: {S}\nTEST:\n  BATCH_SIZE: 3\n")
    path = write_yaml(tmp_path, "_BASE_: bases/first.yaml\nTEST:\n  NUM_ENSEMBLE_VIEWS: 4\n")
    cfg = load_cfg(path)
    assert (cfg.TEST.BATCH_SIZE, cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.DATA.NUM_FRAMES) == (3, 4, 13)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_rejected(encoding, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("DATA:\n  PATH_PREFIX: vidéos\n", encoding=encoding)
    with pytest.raises(ValueError, match=rf"^--cfg {path} is not UTF-8 text \(byte \d+\); save it as UTF-8$"):
        load_cfg(str(path))


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(ValueError, match=f"^--cfg {tmp_path}: Is a directory; give a yaml file"):
        load_cfg(str(tmp_path))


def test_a_file_that_would_run_code_is_rejected(tmp_path):
    path = write_yaml(tmp_path, f"DATA: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(ValueError, match="not plain yaml"):
        load_cfg(path)
    assert not (tmp_path / "made").exists()


def test_a_file_may_hold_any_language(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(f"_BASE_: {S}\nDATA:\n  PATH_PREFIX: vidéos\n", encoding="utf-8")
    assert load_cfg(str(path)).DATA.PATH_PREFIX == "vidéos"


def test_the_package_offers_the_two_functions_that_load():
    offered: dict[str, object] = {}
    exec("from x3d.config import *", offered)
    assert {name for name in offered if not name.startswith("_")} == {"get_cfg", "load_cfg"}


def test_a_missing_file_is_named():
    match = (
        r"--cfg nowhere.yaml does not exist; give a yaml file, or the name of one of X3D_DEMO, .*X3D_M, X3D_S, X3D_XS$"
    )
    with pytest.raises(ValueError, match=match):
        load_cfg("nowhere.yaml")


@pytest.mark.parametrize("name", ["X3D_M", "X3D_M.yaml", "configs/X3D_M.yaml", "./configs/X3D_M"])
def test_a_yaml_file_of_this_suite_is_found_by_its_name_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_cfg(name) == load_cfg(str(ROOT / "configs" / "X3D_M.yaml"))
    with pytest.raises(ValueError, match=r"other/X3D_M.yaml does not exist; give a yaml file"):
        load_cfg("other/X3D_M.yaml")


def test_a_yaml_file_of_the_user_precedes_one_of_this_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "configs" / "X3D_M.yaml").read_text()
    (tmp_path / "X3D_M.yaml").write_text(text.replace("NUM_FRAMES: 16", "NUM_FRAMES: 7"))
    assert load_cfg("X3D_M.yaml").DATA.NUM_FRAMES == 7


def test_the_result_is_frozen():
    with pytest.raises(AttributeError):
        load_cfg(S).DATA.NUM_FRAMES = 1


def outside(key):
    """Return a value of the type of a key that its limits reject."""
    if key.length:
        return [*key.default, 1]
    if key.allowed:
        return {bool: True, int: 99, str: "other", list: [7]}[type(key.default)]
    return type(key.default)(key.minimum - 1)


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if key.limits])
def test_every_limit_is_checked_and_named(name):
    value = outside(KEYS[name])
    with pytest.raises(ValueError, match=re.escape(f"{name} is {value!r}; allowed: {KEYS[name].limits}")):
        load_cfg(S, [name, str(value)])


def test_every_problem_is_reported_at_once():
    with pytest.raises(ValueError, match=r"^configuration: DATA\.NUM_FRAMES is 1; .*; X3D_WORKERS\.TIMEOUT is 0; "):
        load_cfg(S, ["X3D_WORKERS.TIMEOUT", "0", "DATA.NUM_FRAMES", "1"])


@pytest.mark.parametrize(
    ("old", "new", "value"), [(*pair, "9" if "TIME" in pair[0] else "raise") for pair in RENAMED.items()]
)
def test_an_old_name_is_accepted_with_a_note(old, new, value, tmp_path, caplog):
    assert str(value_of(load_cfg(S, [old, value]), new)) == value
    assert caplog.messages == [f"{old} on the command line is the old name of {new}"]
    section, name = old.split(".")
    path = write_yaml(tmp_path, (ROOT / "configs/X3D_S.yaml").read_text() + f"{section}:\n  {name}: {value}\n")
    assert str(value_of(load_cfg(path), new)) == value
    assert caplog.messages[1:] == [f"{old} in {path} is the old name of {new}"]
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("swap", [False, True])
def test_a_key_and_its_old_name_must_agree(swap):
    pairs = [["X3D_PREPROCESS.TIMEOUT", "5"], ["X3D_WORKERS.TIMEOUT", "6"]]
    first, second = pairs[::-1] if swap else pairs
    text = f"{first[0]} and {second[0]} on the command line differ and mean the same; give only X3D_WORKERS.TIMEOUT"
    with pytest.raises(ValueError, match=text):
        load_cfg(S, [*first, *second])
    assert load_cfg(S, [first[0], "7", second[0], "7"]).X3D_WORKERS.TIMEOUT == 7


def test_the_command_line_overrides_an_old_name_in_the_file(tmp_path):
    path = write_yaml(tmp_path, (ROOT / "configs/X3D_S.yaml").read_text() + "X3D_PREPROCESS:\n  TIMEOUT: 5\n")
    assert load_cfg(path, ["X3D_WORKERS.TIMEOUT", "6"]).X3D_WORKERS.TIMEOUT == 6


def test_a_wrong_value_is_reported_under_the_name_given():
    with pytest.raises(ValueError, match=r"X3D_PREPROCESS.TIMEOUT on the command line: int expected"):
        load_cfg(S, ["X3D_PREPROCESS.TIMEOUT", "long"])


@pytest.mark.parametrize(
    "keys",
    [
        ["DATA.STD", "[1e-6, 0.2, 0.2]"],
        ["DATA.MEAN", "[0.4, -2e4, 0.4]"],
        ["DATA.STD", "[0.2, 0.2, 1.3e-5]", "DATA.MEAN", "[0.4, 0.4, 0.9]"],
        ["DATA.STD", "[0.2, 0.2, 1.3e-5]", "DATA.MEAN", "[0.4, 0.4, 0.1]"],
    ],
)
def test_values_beyond_float16_are_rejected_for_it(keys):
    load_cfg(S, keys)
    with pytest.raises(
        ValueError, match=r"values up to .*, and float16 ends at 65504: set X3D_PREPROCESS.DTYPE float32"
    ):
        load_cfg(S, [*keys, "X3D_PREPROCESS.DTYPE", "float16"])
    load_cfg(S, ["X3D_PREPROCESS.DTYPE", "float16"])


def test_the_keys_that_decide_the_views():
    cfg = load_cfg(S, ["DATA.SAMPLING_RATE", "7"])
    names = "NUM_FRAMES SAMPLING_RATE TARGET_FPS USE_OFFSET_SAMPLING MEAN STD TRAIN_JITTER_SCALES TEST_CROP_SIZE "
    expected = [f"DATA.{name}" for name in (names + "REVERSE_INPUT_CHANNEL").split()]
    expected += ["TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_SPATIAL_CROPS"]
    expected += [f"X3D_PREPROCESS.{name}" for name in ("FORMAT", "DTYPE", "BACKEND")]
    assert list(view_config(cfg)) == expected
    assert view_config(cfg) == {name: value_of(cfg, name) for name in expected}
    assert view_config(cfg)["DATA.SAMPLING_RATE"] == 7


def test_the_line_of_a_run_is_what_one_would_type(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cfg = load_cfg(S, ["DATA.PATH_PREFIX", "val", "MODEL.DROPOUT_RATE", "0.1", "X3D_WORKERS.NUM", "2"])
    text = describe_cfg(cfg, S, ["DATA.PATH_PREFIX", "TEST", "MODEL", "X3D_EVALUATE"])
    assert text == "--cfg configs/X3D_S.yaml DATA.PATH_PREFIX val"
    assert describe_cfg(cfg, S) == f"{text} X3D_WORKERS.NUM 2"
    assert describe_cfg(load_cfg("X3D_M"), "X3D_M", ["X3D_WORKERS"]) == "--cfg configs/X3D_M.yaml"


def test_the_line_of_a_run_has_the_keys_of_a_file_over_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = "DATA: {PATH_PREFIX: val, NUM_FRAMES: 13}\nTEST: {NUM_ENSEMBLE_VIEWS: 5}\nX3D_PREPROCESS: {TIMEOUT: 9}\n"
    lower = write_yaml(tmp_path, f"_BASE_: {S}\n{keys}")
    upper = tmp_path / "upper.yaml"
    upper.write_text(f"_BASE_: {lower}\nTEST:\n  NUM_ENSEMBLE_VIEWS: 10\n")
    cfg = load_cfg(str(upper), ["DATA.SAMPLING_RATE", "7"])
    text = describe_cfg(cfg, str(upper))
    assert text == f"--cfg {S} DATA.PATH_PREFIX val DATA.SAMPLING_RATE 7 X3D_WORKERS.TIMEOUT 9"
    assert dict(cfg) == dict(load_cfg(S, text.split()[2:]))


def test_the_line_of_a_run_has_what_replaces_an_unusable_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "configs/X3D_S.yaml").read_text().replace("NUM_FRAMES: 13", "NUM_FRAMES: many")
    (tmp_path / "base.yaml").write_text(f"{text}X3D_WORKERS: 3\n")
    path = write_yaml(tmp_path, "_BASE_: base.yaml\nDATA: {NUM_FRAMES: 8}\nX3D_WORKERS: {NUM: 2}\n")
    assert describe_cfg(load_cfg(path), path) == "--cfg base.yaml DATA.NUM_FRAMES 8 X3D_WORKERS.NUM 2"


def test_the_line_of_a_run_has_short_paths_and_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = [
        "DATA.PATH_PREFIX",
        f"{tmp_path}/my val",
        "DATA.MEAN",
        "[0.1234567890123, 1, 0.5]",
        "X3D_WORKERS.NUM",
        "0",
    ]
    text = describe_cfg(load_cfg(S, values), S, ["DATA.PATH_PREFIX", "DATA.MEAN", "X3D_WORKERS"])
    assert text == f"--cfg {S} DATA.PATH_PREFIX 'my val' DATA.MEAN [0.123457,1,0.5]"


def test_quoted_text_that_looks_like_a_number_is_text(tmp_path):
    path = write_yaml(
        tmp_path, f"_BASE_: {S}\nDATA:\n  PATH_PREFIX: '013'\n  PATH_LABEL_SEPARATOR: \"\\t\"\n  NUM_FRAMES: 0x10\n"
    )
    assert (load_cfg(path).DATA.PATH_PREFIX, load_cfg(path).DATA.PATH_LABEL_SEPARATOR) == ("013", "\t")
    assert load_cfg(path).DATA.NUM_FRAMES == 16


def test_a_key_given_twice_on_the_command_line_must_agree():
    opts = ["X3D_WORKERS.NUM", "2", "X3D_WORKERS.NUM", "2"]
    assert load_cfg(S, opts).X3D_WORKERS.NUM == 2
    with pytest.raises(ValueError, match=r"^X3D_WORKERS.NUM on the command line is given as 2 and as 3; keep one$"):
        load_cfg(S, [*opts, "X3D_WORKERS.NUM", "3"])
