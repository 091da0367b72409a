"""The record beside an .om is found again, and belongs to this .om alone."""

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
def test_another_file_of_the_name_is_no_record(om, content):
    record_path(om).write_text(content)
    assert read_conversion(om, "2") is None


def test_without_a_record(om):
    assert read_conversion(om, "2") is None


def test_a_later_record_may_have_more_keys(om):
    write_conversion(om, RECORD)
    text = record_path(om).read_text()
    record_path(om).write_text(text.replace("{", '{"later": 1,', 1))
    assert read_conversion(om, "2") == RECORD
