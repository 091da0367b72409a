"""The header of a .npy is parsed as a literal, and what it claims is not trusted."""

import io

import numpy as np
import pytest

from x3d.storage.npy_header import NpyHeader, header_bytes, parse_header


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, version=version)
    return content.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_that_numpy_writes_is_parsed(version):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = npy(array, version)
    header = parse_header(content)
    assert header == NpyHeader("float32", (2, 3), False, len(content) - array.nbytes)
    assert header_bytes(content[:16]) == header.offset


def test_type_and_order_are_named():
    assert parse_header(npy(np.zeros((2, 3), order="F"))) == NpyHeader("float64", (2, 3), True, 128)
    big_endian = parse_header(npy(np.zeros(1, dtype=">f4")))
    assert big_endian is not None
    assert big_endian.dtype == ">f4"
    structured = parse_header(npy(np.zeros(1, dtype=[("a", "<f4")])))
    assert structured is not None
    assert structured.dtype == "[('a', '<f4')]"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(2, 3)", b"(2,-3)"),
        (b"(2, 3)", b"[2, 3]"),
        (b"(2, 3)", b"(2.,3)"),
        (b"False", b"0    "),
        (b"'descr'", b"'discr'"),
        (b"(2, 3)", b"f(2,3)"),
        (b"NUMPY\x01", b"NUMPY\x09"),
    ],
)
def test_a_damaged_header_is_none(old, new):
    content = npy(np.zeros((2, 3), dtype=np.float32))
    assert parse_header(content.replace(old, new)) is None


def test_a_header_longer_than_the_file_is_none():
    content = npy(np.zeros(1, dtype=np.float32))
    assert parse_header(content[:100]) is None
    assert parse_header(content[:10]) is None
    assert header_bytes(b"text") == 0


def test_a_huge_shape_is_parsed_and_allocates_nothing():
    content = io.BytesIO()
    claimed = {"descr": "<f4", "fortran_order": False, "shape": (10**15,)}
    np.lib.format.write_array_header_1_0(content, claimed)
    assert parse_header(content.getvalue()) == NpyHeader("float32", (10**15,), False, 128)
