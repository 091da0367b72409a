import re

import pytest

from test.helpers import ROOT, read_golden
from x3d.config.loading import get_cfg, load_cfg
from x3d.config.schema import SCHEMA, UNREAD

MODELS = ("X3D_XS", "X3D_S", "X3D_M", "X3D_L")
S = str(ROOT / "configs/X3D_S.yaml")


def test_defaults_equal_the_references():
    reference = read_golden("slowfast_config.json")["defaults"]
    for section, keys in SCHEMA.items():
        if not section.startswith("X3D_"):
            assert keys == reference[section]


def test_every_section_of_the_reference_is_strict_or_unread():
    assert set(read_golden("slowfast_config.json")["defaults"]) == UNREAD | {k for k in SCHEMA if "X3D_" not in k}


@pytest.mark.parametrize("model", MODELS)
def test_configs_agree_with_pyslowfasts_files(model):
    content = read_golden("slowfast_config.json")["files"][model]
    cfg = load_cfg(str(ROOT / f"configs/{model}.yaml"))
    for section in SCHEMA:
        for key, value in content.get(section, {}).items():
            assert cfg[section][key] == value, f"{section}.{key}"


@pytest.mark.parametrize("model", MODELS)
def test_pyslowfasts_files_load(model, tmp_path):
    def to_yaml(values, indent=""):
        lines = []
        for key, value in values.items():
            if isinstance(value, dict):
                lines += [f"{indent}{key}:", *to_yaml(value, indent + "  ")]
            else:
                lines.append(f"{indent}{key}: {value!r}")
        return lines

    path = tmp_path / "reference.yaml"
    path.write_text("\n".join(to_yaml(read_golden("slowfast_config.json")["files"][model])))
    ours = load_cfg(str(ROOT / f"configs/{model}.yaml"))
    assert load_cfg(str(path)).dump() == ours.dump()


@pytest.mark.parametrize(
    ("opts", "advice"),
    [
        (["DATA.MEEN", "1"], "DATA.MEEN on the command line .* nearest is DATA.MEAN"),
        (["DATTA.MEAN", "1"], "nearest is DATA"),
        (["MEAN", "1"], "MEAN on the command line is not a configuration key"),
        (["DATA.NUM_FRAMES", "many"], "DATA.NUM_FRAMES on the command line: int expected"),
        (["DATA.NUM_FRAMES"], "KEY VALUE pairs expected, but 'DATA.NUM_FRAMES' stands alone"),
        (["TEST.NUM_SPATIAL_CROPS", "1"], "set DATA.TEST_CROP_SIZE 160, or TEST.NUM_SPATIAL_CROPS 3"),
        (["DATA.TEST_CROP_SIZE", "160"], "set DATA.TEST_CROP_SIZE 182, or TEST.NUM_SPATIAL_CROPS 1"),
        (["TEST.NUM_SPATIAL_CROPS", "4"], "TEST.NUM_SPATIAL_CROPS is 4; allowed: 1, 2, 3"),
        (["DATA.ENSEMBLE_METHOD", "mean"], "DATA.ENSEMBLE_METHOD is 'mean'; allowed: 'sum', 'max'"),
        (["MODEL.ARCH", "slowfast"], "MODEL.ARCH is 'slowfast'; allowed: 'x3d'"),
        (["DATA.STD", "[1, 0, 1]"], "DATA.STD .* zero"),
        (["DATA.MEAN", "[1.0]"], "DATA.MEAN .* 3 numbers"),
        (["X3D_PREPROCESS.TIMEOUT", "0"], "X3D_PREPROCESS.TIMEOUT is 0; at least 1"),
    ],
)
def test_wrong_keys_and_values_are_refused_with_advice(opts, advice):
    with pytest.raises(ValueError, match=advice):
        load_cfg(S, opts)


def test_one_crop_of_160_pixels_is_accepted():
    cfg = load_cfg(S, ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "160"])
    assert (cfg.TEST.NUM_SPATIAL_CROPS, cfg.DATA.TEST_CROP_SIZE) == (1, 160)


def test_a_misspelt_key_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("DATA:\n  NUM_FRAME: 13\n")
    with pytest.raises(ValueError, match=re.escape(f"DATA.NUM_FRAME in {path}") + ".*DATA.NUM_FRAMES"):
        load_cfg(str(path))


def test_a_file_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "unsafe.yaml"
    path.write_text(f"DATA: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(ValueError, match="not plain yaml"):
        load_cfg(str(path))
    assert not (tmp_path / "made").exists()


def test_a_missing_file_is_named():
    with pytest.raises(ValueError, match=r"--cfg nowhere.yaml: No such file"):
        load_cfg("nowhere.yaml")


def test_paths_stay_text_and_whole_numbers_fit_fractions():
    cfg = load_cfg(S, ["DATA.PATH_PREFIX", "1e5", "X3D_PTH2ONNX.TOLERANCE", "1", "TRAIN.ENABLE", "False"])
    assert (cfg.DATA.PATH_PREFIX, cfg.X3D_PTH2ONNX.TOLERANCE) == ("1e5", 1.0)


def test_the_result_is_frozen_and_the_defaults_stay_as_they_are():
    cfg = load_cfg(S)
    with pytest.raises(AttributeError):
        cfg.DATA.NUM_FRAMES = 1
    assert get_cfg().DATA.NUM_FRAMES == 8
