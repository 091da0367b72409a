"""The record beside an .om is found again, and belongs to this .om alone."""

import json
from dataclasses import replace

import pytest

from x3d.errors import InputError
from x3d.storage.conversion_record import ConversionRecord, read_conversion, record_path, write_conversion

RECORD = ConversionRecord("atc --model=a.onnx", "8.0.RC2", "Ascend310P3", "origin", "float16", 8, "1", "2", 3.5)


@pytest.fixture
def om(tmp_path):
    return tmp_path / "x3d_s_bs8.om"


def test_a_record_is_read_as_it_was_written(om):
    for record in (RECORD, replace(RECORD, cann=None)):
        write_conversion(om, record)
        assert read_conversion(om, "2") == record
    assert record_path(om).name == "x3d_s_bs8.json"


def test_the_record_of_another_om_is_rejected(om):
    write_conversion(om, RECORD)
    with pytest.raises(InputError, match=r"x3d_s_bs8.json records the conversion of another model than .*bs8.om is; "):
        read_conversion(om, "3")


@pytest.mark.parametrize("content", ["{}", "[]", "1", "no JSON", "[" * 100_000, '{"om_digest": "2"}', "\xff"])
def test_another_file_of_the_name_is_no_record(om, content, caplog):
    record_path(om).write_text(content)
    assert read_conversion(om, "2") is None
    [warning] = [one.getMessage() for one in caplog.records]
    assert f"{record_path(om)} is no usable record of a conversion, so {om} is not checked with it: " in warning


@pytest.mark.parametrize(
    ("key", "value"),
    [("batch_size", "8"), ("batch_size", True), ("cann", 8), ("seconds", None), ("om_digest", ["2"]), ("soc", 310)],
)
def test_a_value_of_another_type_is_named(om, key, value, caplog):
    write_conversion(om, RECORD)
    content = json.loads(record_path(om).read_text()) | {key: value}
    record_path(om).write_text(json.dumps(content))
    assert read_conversion(om, "2") is None
    assert f"is not checked with it: {key} is missing or of another type" in caplog.text


def test_a_record_that_cannot_be_read_is_named(om, caplog):
    record_path(om).mkdir()
    assert read_conversion(om, "2") is None
    assert f"{record_path(om)} is no usable record of a conversion" in caplog.text
    assert "not checked with it: Is a directory" in caplog.text


def test_without_a_record(om, caplog):
    assert read_conversion(om, "2") is None
    assert caplog.records == []


def test_a_later_record_may_have_more_keys(om):
    write_conversion(om, RECORD)
    text = record_path(om).read_text()
    record_path(om).write_text(text.replace("{", '{"later": 1,', 1))
    assert read_conversion(om, "2") == RECORD
