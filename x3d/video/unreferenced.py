"""Find the frames of an H.264 stream to which no other frame refers: the others are decoded alike without them."""

from array import array

import av

from x3d.video.h264 import (
    DELIMITER,
    FILLER,
    IDR_SLICE,
    INFORMATION,
    REFERENCE_BITS,
    SEQUENCE_PARAMETERS,
    SLICE,
    TYPE_BITS,
    find_sequence_parameters,
    parse_sequence_parameters,
    read_frame_num,
    split_units,
)

REMOVABLE = frozenset({SLICE, INFORMATION, DELIMITER, FILLER})
"""First bytes of the units that an unreferenced frame may consist of: their types, with a nal_ref_idc of 0."""


class UnreferencedFrames:
    """Collects the packets of a stream, and names the frames that need not be decoded for the sake of others.

    H.264 marks them: nal_ref_idc is 0 in every slice (ITU-T H.264, 7.4.1). No frame of a stream is named unless its
    headers show that none is lost: its units have lengths, as in MP4 and Matroska, each packet is one frame with a pts
    of its own, and frame_num counts the referenced ones without a gap (7.4.3). Where one is missing, a decoder makes up
    another, and which depends on the frames in between.

    Args:
        context: the decoder's, not yet opened.
    """

    def __init__(self, context: av.VideoCodecContext) -> None:
        extradata = context.extradata or b""
        self._is_readable = context.name == "h264" and extradata[:1] == b"\1"
        self._reorder_depth = context.reorder_depth
        self._order = array("q")
        self._pts: set[int] = set()
        self._key_pts: int | None = None
        self._last_referenced = 0
        if self._is_readable:
            try:
                self._length_bytes = (extradata[4] & 3) + 1
                self._parameters_unit = find_sequence_parameters(extradata)
                self._parameters = parse_sequence_parameters(self._parameters_unit)
            except (ValueError, IndexError):
                self._is_readable = False

    def add(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Add the next packet in decoding order."""
        if not self._is_readable:
            return
        try:
            self._add(packet)
        except ValueError:
            self._is_readable = False

    def _add(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Add a packet.

        Raises:
            ValueError: it shows that frames cannot be left out of this stream.
        """
        if packet.pts is None:
            raise ValueError("a packet without pts")
        self._order.append(packet.pts)
        if self._key_pts is None and packet.is_keyframe:
            self._key_pts = packet.pts
        heads = self._check_units(list(split_units(memoryview(packet), self._length_bytes)))
        is_after_key_frame = self._key_pts is not None and packet.pts > self._key_pts
        if is_after_key_frame and not packet.is_discard and REMOVABLE.issuperset(heads):
            self._pts.add(packet.pts)

    def _check_units(self, units: list[memoryview]) -> list[int]:
        """Check the units of a frame, and return the first byte of each.

        Raises:
            ValueError: other sequence parameters, no slice, or frame_num does not follow.
        """
        kinds = [unit[0] & TYPE_BITS for unit in units]
        for unit, kind in zip(units, kinds, strict=True):
            if kind == SEQUENCE_PARAMETERS and unit != self._parameters_unit:
                raise ValueError("other sequence parameters")
        slices = [unit for unit, kind in zip(units, kinds, strict=True) if kind in (SLICE, IDR_SLICE)]
        if not slices:
            raise ValueError("a packet without a slice")
        self._check_frame_num(slices[0])
        return [unit[0] for unit in units]

    def _check_frame_num(self, slice_unit: memoryview) -> None:
        """Check that a frame follows the last referenced one in frame_num; the first frame of a file follows any.

        Raises:
            ValueError: it does not.
        """
        found = read_frame_num(slice_unit, self._parameters)
        is_idr = slice_unit[0] & TYPE_BITS == IDR_SLICE
        is_first = len(self._order) == 1
        expected = 0 if is_idr else (self._last_referenced + 1) % (1 << self._parameters.frame_num_bits)
        if found != expected and not is_first:
            raise ValueError("a frame is missing")
        if slice_unit[0] & REFERENCE_BITS:
            self._last_referenced = found
        elif is_first:
            self._last_referenced = found - 1

    def pts(self) -> set[int]:
        """Return the pts of the frames that can be left out, none unless this cannot change the order of the others.

        Every frame has a pts of its own, and the decoder waits for as many frames as the order of the pts needs: it
        has no reason to wait longer, which it would do from a frame on that it might not see. Frames in front of the
        first key frame, in the file or when shown, are not left out: a decoder drops those that refer to what came
        before the file.
        """
        count = len(self._order)
        if not self._is_readable or len(set(self._order)) < count:
            return set()
        ranked = sorted(range(count), key=self._order.__getitem__)
        depth = max((place - rank for rank, place in enumerate(ranked)), default=0)
        return self._pts if depth <= self._reorder_depth else set()
