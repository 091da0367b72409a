"""Every table of npu-smi is read whole, and a broken one is an error that quotes the line."""

import contextlib

import pytest

from test import npu_texts
from test.npu_texts import TABLES, damaged
from x3d.ascend.npu_smi import Chip, Process, parse_info, soc_version
from x3d.errors import InputError


def test_the_recipe_s_table():
    first, second = parse_info(npu_texts.RECIPE)
    assert first == Chip(
        npu=0,
        chip=0,
        device=0,
        name="310P3",
        health="OK",
        power_watts=15.8,
        temperature_c=42,
        bus_id="0000:82:00.0",
        aicore_percent=0,
        memory_used_mb=1074,
        memory_total_mb=21534,
    )
    assert (second.npu, second.device, second.power_watts, second.memory_used_mb) == (1, 1, 15.4, 1070)


@pytest.mark.parametrize(
    ("name", "chips"),
    [
        ("RECIPE", [(0, 0, 0, "310P3", 15.8, 1074, None), (1, 0, 1, "310P3", 15.4, 1070, None)]),
        ("OLD_310P", [(0, 0, 0, "310P3", 16.3, 4060, None)]),
        ("IDLE_310P", [(24, 0, 0, "310P3", None, 1832, None)]),
        (
            "DUO_310P",
            [
                (3, 0, 2, "310P3", None, 1666, None),
                (3, 1, 3, "310P3", None, 1260, None),
                (5, 0, 4, "310P3", None, 1691, None),
                (5, 1, 5, "310P3", None, 1381, None),
            ],
        ),
        ("ALARM_310B", [(0, 0, 0, "310B4", 0.0, 3628, None)]),
        ("IDLE_310B", [(0, 0, 0, "310B4", 7.7, 2166, None)]),
        ("OLD_310", [(0, 0, 0, "310", 12.8, None, None)]),
        ("BUSY_910B", [(0, 0, 0, "910B3", 90.7, 0, 53984), (1, 0, 1, "910B3", 96.9, 0, 52314)]),
        ("IDLE_910B", [(2, 0, 0, "910B4", 88.9, 0, 2858)]),
        ("HYPHEN_910B", [(0, 0, 0, "910B4-1", 96.4, 0, 2867)]),
        ("FIRST_910", [(0, 0, 0, "910B", 79.4, 1979, 0)]),
        ("WARNING_910_93", [(2, 0, 0, "Ascend910", 176.3, 0, 3411), (2, 1, 1, "Ascend910", None, 0, 3208)]),
        ("IDLE_950", [(0, 0, 0, "Ascend950PR", 182.0, 0, 3402)]),
    ],
)
def test_chips(name, chips):
    found = parse_info(TABLES[name])
    assert [
        (one.npu, one.chip, one.device, one.name, one.power_watts, one.memory_used_mb, one.hbm_used_mb) for one in found
    ] == chips


def test_every_recorded_table_is_tested():
    assert len(TABLES) == 13
    assert all(parse_info(text) for text in TABLES.values())


def test_processes_make_a_chip_busy():
    idle, _, busy, _ = parse_info(npu_texts.DUO_310P)
    assert idle.is_idle
    assert not busy.is_idle
    assert busy.processes == (Process(904545, "python3", 101), Process(917047, "mindie_llm_back", 101))


def test_a_load_makes_a_chip_busy_without_a_process():
    _, second = parse_info(npu_texts.BUSY_910B)
    assert (second.processes, second.aicore_percent, second.is_idle) == ((), 42, False)


def test_a_table_without_processes_is_idle_by_its_load():
    assert [chip.is_idle for chip in parse_info(npu_texts.RECIPE)] == [True, True]


def test_what_the_driver_does_not_give_is_unknown():
    text = npu_texts.IDLE_910B.replace("88.9        39  ", "-0.1        -200")
    text = text.replace("0           0    / 0          2858 ", "4294967295  0    / 0          -12  ")
    [chip] = parse_info(text)
    assert (chip.power_watts, chip.temperature_c, chip.aicore_percent, chip.hbm_used_mb) == (None, None, None, None)
    assert (chip.memory_used_mb, chip.hbm_total_mb, chip.is_idle) == (0, 32768, True)


@pytest.mark.parametrize(("name", "health"), [("ALARM_310B", ["Alarm"]), ("WARNING_910_93", ["OK", "Warning"])])
def test_unhealthy_chips(name, health):
    chips = parse_info(TABLES[name])
    assert [chip.health for chip in chips] == health
    assert [chip.is_healthy for chip in chips] == [word == "OK" for word in health]


@pytest.mark.parametrize(
    ("name", "soc"),
    [
        ("RECIPE", "Ascend310P3"),
        ("ALARM_310B", "Ascend310B4"),
        ("IDLE_910B", "Ascend910B4"),
        ("HYPHEN_910B", "Ascend910B4-1"),
    ],
)
def test_soc_version(name, soc):
    assert soc_version(parse_info(TABLES[name])[0]) == soc


def test_a_name_that_is_no_soc_version_is_not_guessed():
    with pytest.raises(InputError, match=r"Ascend910, which is no SoC version; .*npu-smi info -t board -i 2 -c 1"):
        soc_version(parse_info(npu_texts.WARNING_910_93)[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "printed nothing and no table"),
        (
            "dcmi module initialize failed. ret is -8005\n",
            r"printed 'dcmi module initialize failed. ret is -8005' and no",
        ),
        ("\x1b[31mUNKNOWN\x00\n", r"'\\x1b\[31mUNKNOWN\\x00'"),
        (npu_texts.IDLE_910B.partition("| 2 ")[0], "npu-smi lists no chip; check the driver, and in a container"),
        (npu_texts.RECIPE.partition("| 0       1 ")[0], r"at '\| 1       310P3 .*the table is cut off after it"),
        (npu_texts.RECIPE.partition("1070")[0], r"at '\| 0       1 .*: the table is cut off after it"),
        (
            npu_texts.RECIPE.replace("1070 / 21534                            |", "1070"),
            r"at '\| 0       1 .*1070': a row begins and ends with \|",
        ),
        (npu_texts.RECIPE.replace("15.4 ", "hot  "), r"at '\| 1       310P3 .*'hot +43 +0    / 0' is not understood"),
        (npu_texts.RECIPE.replace("| 1       310P3", "|         310P3"), r"'310P3' is not understood"),
        (npu_texts.RECIPE.replace("1070 / 21534", "1070 of 21534"), r"'0 +1070 of 21534' is not understood"),
        (npu_texts.IDLE_910B.replace("2858 / 32768", "            "), "2 memories as in the head are expected"),
        (npu_texts.RECIPE.replace("| 0000:89:00.0    |", "|"), "three cells are expected"),
        (
            npu_texts.DUO_310P.replace("| 5       1                     | 904546", "| 7       1     | 904546"),
            "a process of a",
        ),
        (npu_texts.DUO_310P.replace("904546", "python"), r"at '\| 5       1 .*a process of a chip in the table"),
    ],
)
def test_broken_tables(text, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_info(text)
    assert "\n" not in str(caught.value)


def test_a_line_cut_out_is_noticed():
    lines = npu_texts.RECIPE.splitlines()
    del lines[5]
    with pytest.raises(InputError, match="at '"):
        parse_info("\n".join(lines))


@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_are_an_error_or_read(name):
    for text in damaged(TABLES[name], 300):
        with contextlib.suppress(InputError):
            assert parse_info(text)
