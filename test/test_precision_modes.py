"""Only modes that chip and version of CANN have are taken, and an error lists them."""

import pytest

from x3d.ascend.cann import CannVersion
from x3d.ascend.precision_modes import DEFAULT_MODE, MODES, choose_mode, offered_modes
from x3d.errors import InputError

OF_ALL = ["allow_mix_precision", "force_fp16", "allow_fp32_to_fp16", "must_keep_origin_dtype"]


def names(soc, version=None):
    return [mode.name for mode in offered_modes(soc, CannVersion(version) if version else None)]


def test_the_recipe_s_release_has_four():
    assert names("Ascend310P3", "6.0.RC1") == OF_ALL


def test_later_releases_have_both_options():
    assert names("Ascend310P3", "7.0.0") == [
        *(*OF_ALL, "force_fp32", "cube_fp16in_fp32out", "allow_mix_precision_fp16"),
        *("fp16", "origin", "mixed_float16"),
    ]


@pytest.mark.parametrize(
    ("soc", "older", "newer"),
    [
        ("Ascend310P3", False, False),
        ("Ascend310", False, False),
        ("Ascend310B1", False, True),
        ("Ascend910B", False, False),
        ("Ascend910A", False, False),
        ("Ascend910B4", True, True),
        ("Ascend910_9392", True, True),
        ("Ascend950PR_9599", True, True),
    ],
)
def test_bfloat16(soc, older, newer):
    assert ("allow_mix_precision_bf16" in names(soc), "mixed_bfloat16" in names(soc)) == (older, newer)


def test_hif8_is_the_950_s():
    assert [soc for soc in ("Ascend310P3", "Ascend910B4", "Ascend950PR_9599") if "mixed_hif8" in names(soc)] == [
        "Ascend950PR_9599"
    ]


def test_without_a_version_all_of_the_chip_are_offered():
    assert names("Ascend950PR_9599") == [mode.name for mode in MODES]


@pytest.mark.parametrize(
    ("name", "option"),
    [(DEFAULT_MODE, "precision_mode"), ("cube_fp16in_fp32out", "precision_mode"), ("origin", "precision_mode_v2")],
)
def test_the_name_decides_the_option(name, option):
    assert choose_mode(name, "Ascend310P3", CannVersion("8.0.0")).option == option


def test_a_name_belongs_to_one_option():
    assert len({mode.name for mode in MODES}) == len(MODES)


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        (
            "mixed_bfloat16",
            "8.0.0",
            "mixed_bfloat16: Ascend310P3 with CANN 8.0.0 has allow_mix_precision, force_fp16, ",
        ),
        (
            "mixed_bfloat16",
            None,
            "mixed_bfloat16: Ascend310P3 has allow_mix_precision, .*mixed_float16; give one of these$",
        ),
        ("origin", "6.0.RC1", "CANN 6.0.RC1 has allow_mix_precision, .* must_keep_origin_dtype; give one of these$"),
        ("fp32", None, "--precision_mode fp32: "),
    ],
)
def test_a_mode_that_does_not_exist_there(name, version, message):
    with pytest.raises(InputError, match=message):
        choose_mode(name, "Ascend310P3", CannVersion(version) if version else None)
