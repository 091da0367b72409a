"""Read what decides the references between frames from the headers of H.264: its units, sequence parameters and slices.

Names and rules are those of ITU-T H.264 (7.3.2.1.1, 7.3.3, 7.4.1, 7.4.3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

SLICE, IDR_SLICE, INFORMATION, SEQUENCE_PARAMETERS, DELIMITER, FILLER = 1, 5, 6, 7, 9, 12
"""Types of units (table 7-1)."""
TYPE_BITS, REFERENCE_BITS = 31, 96
"""Of the first byte of a unit: its type, and nal_ref_idc, which is 0 where no other frame refers to it."""
HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
"""Profiles whose sequence parameters have the format of the samples."""
SEPARATE_PLANES = 3
"""chroma_format_idc with which the planes may be coded as pictures of their own."""
SLICE_HEAD_BYTES = 16
"""More than the part of a slice's header that is read."""


@dataclass(frozen=True)
class SequenceParameters:
    """Of a stream of whole frames without permitted gaps in frame_num.

    Attributes:
        frame_num_bits: of frame_num in a slice's header.
    """

    frame_num_bits: int


class _Bits:
    """Reads the bits of a unit's payload, from which emulation prevention is removed."""

    def __init__(self, payload: bytes) -> None:
        payload = payload.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(payload, "big"), 8 * len(payload)

    def read(self, num_bits: int) -> int:
        """Read an unsigned number.

        Raises:
            ValueError: there are fewer bits.
        """
        self._left -= num_bits
        if self._left < 0:
            raise ValueError("the header ends too early")
        return (self._value >> self._left) & ((1 << num_bits) - 1)

    def read_exp_golomb(self) -> int:
        """Read an unsigned Exp-Golomb code (9.1)."""
        rest = self._value & ((1 << max(self._left, 0)) - 1)
        num_zeros = self._left - rest.bit_length()
        return self.read(2 * num_zeros + 1) - 1


def split_units(packet: memoryview, length_bytes: int) -> Iterator[memoryview]:
    """Yield the units of a packet, each of which follows its length.

    Raises:
        ValueError: the lengths do not fit the packet.
    """
    start = 0
    while start < len(packet):
        first = start + length_bytes
        start = first + int.from_bytes(packet[first - length_bytes : first], "big")
        if first >= start or start > len(packet):
            raise ValueError("the lengths of the units do not fit the packet")
        yield packet[first:start]


def find_sequence_parameters(extradata: bytes) -> bytes:
    """Find the only unit of sequence parameters in an AVCDecoderConfigurationRecord (ISO/IEC 14496-15).

    Raises:
        ValueError: there is another number of them.
    """
    if len(extradata) < 8 or extradata[5] & 31 != 1:
        raise ValueError("not one unit of sequence parameters")
    return extradata[8 : 8 + int.from_bytes(extradata[6:8], "big")]


def parse_sequence_parameters(unit: bytes) -> SequenceParameters:
    """Parse a unit of sequence parameters.

    Raises:
        ValueError: it is cut off, or of a stream with fields, permitted gaps in frame_num, planes coded as pictures,
            scaling lists or another order than by pictures.
    """
    bits = _Bits(unit[1:])
    profile, _, _ = bits.read(8), bits.read(16), bits.read_exp_golomb()
    if profile in HIGH_PROFILES:
        has_separate_planes = bits.read_exp_golomb() == SEPARATE_PLANES
        bits.read_exp_golomb()
        bits.read_exp_golomb()
        if has_separate_planes or bits.read(2):
            raise ValueError("separate planes, lossless coding or scaling lists")
    frame_num_bits = bits.read_exp_golomb() + 4
    order_type = bits.read_exp_golomb()
    if order_type == 0:
        bits.read_exp_golomb()
    elif order_type == 1:
        raise ValueError("the order follows a cycle")
    bits.read_exp_golomb()
    has_gaps = bits.read(1)
    bits.read_exp_golomb()
    bits.read_exp_golomb()
    has_fields = not bits.read(1)
    if has_gaps or has_fields:
        raise ValueError("gaps in frame_num or fields")
    return SequenceParameters(frame_num_bits)


def read_frame_num(unit: memoryview, parameters: SequenceParameters) -> int:
    """Read frame_num from the header of a slice.

    Raises:
        ValueError: it is cut off.
    """
    bits = _Bits(bytes(unit[1:SLICE_HEAD_BYTES]))
    for _ in ("first_mb_in_slice", "slice_type", "pic_parameter_set_id"):
        bits.read_exp_golomb()
    return bits.read(parameters.frame_num_bits)
