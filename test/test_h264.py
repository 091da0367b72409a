"""Headers of H.264, written bit by bit and by an encoder."""

import av
import pytest

from test.h264_bits import bits, golomb, to_bytes
from test.test_unreferenced import write_moving
from x3d.video.h264 import (
    SequenceParameters,
    find_sequence_parameters,
    parse_sequence_parameters,
    read_frame_num,
    split_units,
)


def parameters(profile=66, chroma="", frame_num_bits=4, order=(2,), has_gaps=0, whole_frames=1):
    """Write a unit of sequence parameters."""
    start = bits(profile, 8) + bits(0, 16) + golomb(0) + chroma
    size = bits(has_gaps, 1) + golomb(9, 6) + bits(whole_frames, 1)
    return b"\x67" + to_bytes(start + golomb(frame_num_bits - 4, *order, 3) + size)


HIGH = golomb(1, 0, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"frame_num_bits": 4},
        {"frame_num_bits": 9, "order": (0, 2)},
        {"frame_num_bits": 16, "profile": 100, "chroma": HIGH + "00"},
        {"frame_num_bits": 5, "profile": 110, "chroma": golomb(1, 2, 2) + "00"},
    ],
)
def test_the_length_of_frame_num_is_read(given):
    assert parse_sequence_parameters(parameters(**given)) == SequenceParameters(given["frame_num_bits"])


@pytest.mark.parametrize(
    "given",
    [
        {"has_gaps": 1},
        {"whole_frames": 0},
        {"order": (1, 0)},
        {"profile": 100, "chroma": HIGH + "01"},
        {"profile": 100, "chroma": HIGH + "10"},
        {"profile": 244, "chroma": golomb(3, 0, 0) + "00"},
    ],
)
def test_streams_from_which_no_frame_can_be_left_out_are_rejected(given):
    with pytest.raises(ValueError, match=r"separate planes|cycle|gaps in frame_num or fields"):
        parse_sequence_parameters(parameters(**given))


@pytest.mark.parametrize("num_bytes", [1, 2, 4, 5])
def test_a_header_that_is_cut_off_is_rejected(num_bytes):
    with pytest.raises(ValueError, match="ends too early"):
        parse_sequence_parameters(parameters()[:num_bytes])
    with pytest.raises(ValueError, match="ends too early"):
        read_frame_num(memoryview(b"\x41\0\0\0"[:num_bytes]), SequenceParameters(4))


def test_frame_num_is_read_behind_bytes_that_prevent_emulation():
    """The first macroblock of this slice is number 2**22 - 1, so that zeros must be broken up by a 3."""
    content = to_bytes(golomb(2**22 - 1, 5, 0) + bits(11, 4))
    assert b"\0\0" in content
    unit = b"\x41" + content.replace(b"\0\0", b"\0\0\3")
    assert read_frame_num(memoryview(unit), SequenceParameters(4)) == 11


def test_units_follow_their_lengths():
    packet = memoryview(b"\0\2ab\0\1c")
    assert [bytes(unit) for unit in split_units(packet, 2)] == [b"ab", b"c"]
    for damaged in (packet[:-1], packet[:4].tobytes() + b"\0", b"\0\0" + packet.tobytes()):
        with pytest.raises(ValueError, match="do not fit the packet"):
            list(split_units(memoryview(damaged), 2))


def test_the_headers_of_an_encoder_count_its_referenced_frames(tmp_path):
    write_moving(tmp_path / "video.mp4", num_frames=12, crf="26")
    with av.open(str(tmp_path / "video.mp4")) as container:
        extradata = container.streams.video[0].codec_context.extradata or b""
        found = parse_sequence_parameters(find_sequence_parameters(extradata))
        packets = [memoryview(packet) for packet in container.demux(video=0) if packet.size]
        slices = [unit for packet in packets for unit in split_units(packet, 4) if unit[0] & 31 in (1, 5)]
        numbers = [(read_frame_num(unit, found), unit[0] & 96) for unit in slices]
    referenced = [number for number, is_referenced in numbers if is_referenced]
    assert len(slices) == 12
    assert referenced == list(range(len(referenced)))
