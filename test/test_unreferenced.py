"""Frames to which no other refers are left out of the decoding, and the others are the same, bit by bit."""

from types import SimpleNamespace

import av
import numpy as np
import pytest

from test.h264_bits import bits, golomb, to_bytes
from test.test_clips import CountingReader, S
from test.videos import flip_bits, remux
from x3d.errors import VideoError
from x3d.video import clips
from x3d.video.clips import decode_clips
from x3d.video.reader import VideoReader
from x3d.video.sampling import Header, Sampling
from x3d.video.unreferenced import UnreferencedFrames

NUM_FRAMES = 130


def write_moving(path, codec="libx264", pixel_format="yuv420p", num_frames=NUM_FRAMES, **options):
    """Write a texture that moves in noise, with a cut, so that encoders choose frames of all types."""
    random = np.random.RandomState(0)
    textures = random.randint(0, 200, (2, 16, 24, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 112, pixel_format
        stream.codec_context.thread_count = 1
        if options.get("flags"):
            stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        for number in range(num_frames):
            shift = round(12 * np.sin(number / 9)) + 12
            pixels = textures[number // 75 % 2, 4 : 4 + 112, shift : shift + 160]
            noisy = (pixels + random.randint(0, 12, pixels.shape)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24").reformat(format=pixel_format)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path, monkeypatch, leaves_out, sampling=S):
    """Decode all clips.

    Returns:
        Their frames as bytes, and how many frames were decoded in each pass.
    """
    with monkeypatch.context() as patched, CountingReader(path) as reader:
        if not leaves_out:
            patched.setattr(reader, "unreferenced_pts", set)
        found = [[frame.tobytes() for frame in frames] for _, frames in decode_clips(reader, sampling, np.copy)]
        return found, reader.decoded


X264 = {
    "no B frames": "bframes=0",
    "1 B frame": "bframes=1",
    "2 B frames": "bframes=2:b-adapt=0",
    "4 B frames, no pyramid": "bframes=4:b-adapt=0:b-pyramid=none",
    "4 B frames, pyramid": "bframes=4:b-adapt=0:b-pyramid=normal",
    "strict pyramid": "bframes=4:b-adapt=0:b-pyramid=strict",
    "weighted": "bframes=3:weightp=2:weightb=1:ref=4",
    "open GOP": "bframes=3:open-gop=1:keyint=20:min-keyint=5",
    "short GOP": "bframes=3:keyint=12",
    "intra refresh": "bframes=3:intra-refresh=1:keyint=30",
    "CAVLC, slices": "bframes=3:cabac=0:slices=4",
    "temporal direct": "bframes=4:direct=temporal:b-adapt=0:ref=6",
    "delimiters": "bframes=3:aud=1:nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900",
    "interlaced": "bframes=3:tff=1",
}


@pytest.mark.parametrize("parameters", X264.values(), ids=X264.keys())
def test_clips_of_h264_are_the_same(parameters, tmp_path, monkeypatch):
    path = write_moving(tmp_path / "video.mp4", crf="26", preset="medium", **{"x264-params": parameters})
    expected, decoded = read(path, monkeypatch, False)
    found, decoded_less = read(path, monkeypatch, True)
    assert found == expected
    has_unreferenced = parameters not in (X264["no B frames"], X264["interlaced"])
    assert len(decoded) == len(decoded_less) == 1
    assert (decoded_less[0] < decoded[0]) == has_unreferenced


@pytest.mark.parametrize("preset", ["superfast", "fast", "slower"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_clips_of_each_preset_and_depth_are_the_same(preset, pixel_format, tmp_path, monkeypatch):
    path = write_moving(tmp_path / "video.mkv", pixel_format=pixel_format, crf="28", preset=preset)
    assert read(path, monkeypatch, True)[0] == read(path, monkeypatch, False)[0]


OTHERS = {
    "hevc.mp4": ("libx265", {"x265-params": "log-level=none:pools=none:frame-threads=1", "preset": "ultrafast"}),
    "mpeg4.mp4": ("mpeg4", {"bf": "2"}),
    "mpeg4.avi": ("mpeg4", {"bf": "2"}),
    "mpeg2.mpg": ("mpeg2video", {"bf": "2"}),
    "h264.avi": ("libx264", {}),
    "h264.ts": ("libx264", {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_codecs_and_containers_every_frame_is_decoded(name, tmp_path):
    codec, options = OTHERS[name]
    path = write_moving(tmp_path / name, codec=codec, num_frames=40, **options)
    with VideoReader(str(path)) as reader:
        assert reader.unreferenced_pts() == set()
        assert len(reader.expected_pts()) == 40


@pytest.fixture(scope="module")
def b_frames(tmp_path_factory):
    return write_moving(tmp_path_factory.mktemp("video") / "video.mp4", crf="26")


def test_a_frame_that_a_clip_takes_or_ends_with_is_decoded(b_frames):
    with CountingReader(b_frames) as reader:
        left_out = []
        real = reader.frames
        reader.frames = lambda pts=frozenset(): left_out.append(pts) or real(pts)
        plan = S.plan(reader.expected_pts(), reader.stream.header)
        needed = {*plan.positions.ravel(), *(plan.num_frames_needed - 1)}
        assert len(list(decode_clips(reader, S, np.copy))) == 10
        assert left_out == [reader.unreferenced_pts() - {reader.expected_pts()[position] for position in needed}]
        assert 10 < len(left_out[0]) < 65


def test_a_file_read_again_leaves_out_the_same_frames(b_frames, monkeypatch):
    expected = read(b_frames, monkeypatch, True)
    monkeypatch.setattr("x3d.video.reader.HELD_BYTES", 1000)
    assert read(b_frames, monkeypatch, True) == expected


@pytest.mark.parametrize("start", [10, 60, 110])
def test_a_damaged_file_is_decoded_whole(start, b_frames, tmp_path, monkeypatch):
    """Concealment takes pixels from frames that would be left out."""
    path = tmp_path / "video.mp4"
    path.write_bytes(b_frames.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        packet = [packet for packet in packets if bytes(packet)[4] & 0x60][start // 2]
        position, size = packet.pos, packet.size
    total = path.stat().st_size
    flip_bits(path, (position + size // 2) / total, (position + size) / total)
    results = []
    for leaves_out in (True, False):
        with monkeypatch.context() as patched, CountingReader(path) as reader:
            if not leaves_out:
                patched.setattr(reader, "unreferenced_pts", set)
            try:
                found = [[frame.tobytes() for frame in frames] for _, frames in decode_clips(reader, S, np.copy)]
            except VideoError as error:
                found = [str(error)]
            results.append((found, reader.num_corrupt_frames))
    assert results[0] == results[1]


def test_a_damaged_frame_that_is_left_out_changes_nothing(b_frames, tmp_path, monkeypatch):
    expected, _ = read(b_frames, monkeypatch, True)
    with CountingReader(b_frames) as reader:
        plan = S.plan(reader.expected_pts(), reader.stream.header)
        left_out = clips._find_unneeded(reader, plan, reader.expected_pts())
    path = tmp_path / "video.mp4"
    path.write_bytes(b_frames.read_bytes())
    with av.open(str(path)) as container:
        packet = next(packet for packet in container.demux(video=0) if packet.pts in left_out)
        position, size = packet.pos, packet.size
    total = path.stat().st_size
    flip_bits(path, (position + size // 2) / total, (position + size) / total)
    found, decoded = read(path, monkeypatch, True)
    assert found == expected
    assert len(decoded) == 1


def test_frames_shown_before_the_first_one_are_decoded(tmp_path, monkeypatch):
    """The decoder drops them where the group of pictures before is cut off, so that they have packets and no frames."""
    parameters = "keyint=30:min-keyint=30:scenecut=0:open-gop=1:bframes=3:b-adapt=0:b-pyramid=normal"
    whole = write_moving(tmp_path / "whole.mp4", crf="26", **{"x264-params": parameters})
    path = tmp_path / "cut.mkv"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        stream = target.add_stream_from_template(source.streams.video[0])
        first = next(place for place, packet in enumerate(packets) if packet.is_keyframe and place)
        start = packets[first].dts
        for packet in packets[first:]:
            packet.pts, packet.dts, packet.stream = packet.pts - start, packet.dts - start, stream
            target.mux(packet)
    with VideoReader(str(path)) as reader:
        expected_pts = reader.expected_pts()
        assert len(list(reader.frames())) < len(expected_pts)
    sampling = Sampling(num_frames=4, sampling_rate=6, target_fps=30, num_clips=1, use_offset=True)
    assert read(path, monkeypatch, True, sampling)[0] == read(path, monkeypatch, False, sampling)[0]


class DamagedReader(CountingReader):
    """Reports a damaged frame in every pass."""

    num_corrupt_frames = property(lambda reader: 1, lambda reader, number: None)


def test_a_damaged_frame_ends_the_pass_that_leaves_out_others(b_frames):
    with DamagedReader(b_frames) as reader:
        assert len(list(decode_clips(reader, S, np.copy))) == 10
        assert reader.decoded[0] == 1
        assert reader.decoded[1] > 100


def test_the_frames_that_end_the_clips_are_needed():
    """They show that no frame of a clip comes after its end."""
    plan = Sampling(num_frames=13, sampling_rate=6, target_fps=30, num_clips=2).plan(range(200), Header(30.0, 200, 200))
    reader = SimpleNamespace(unreferenced_pts=lambda: set(range(200)))
    left_out = clips._find_unneeded(reader, plan, range(200))
    assert set(range(200)) - left_out == {*plan.positions.ravel(), 78, 139}
    assert not {78, 139} & set(plan.positions.ravel())


def test_a_pass_whose_frames_are_not_the_others_is_not_trusted(b_frames, monkeypatch):
    expected, _ = read(b_frames, monkeypatch, False)
    with CountingReader(b_frames) as reader:
        some = set(reader.expected_pts()[1::7])
        monkeypatch.setattr(reader, "unreferenced_pts", lambda: some)
        monkeypatch.setattr(reader, "_decode", lambda left_out: VideoReader._decode(reader, set()))
        found = [[frame.tobytes() for frame in frames] for _, frames in decode_clips(reader, S, np.copy)]
        assert len(reader.decoded) == 2
    assert found == expected


SPS = bytes([0x67, *to_bytes(bits(66, 8) + bits(0, 16) + golomb(0, 0, 2, 2) + "0" + golomb(9, 6) + "1")])
"""Baseline, frame_num of 4 bits, the order of the pictures as coded, 160x112, whole frames, no gaps."""
EXTRADATA = bytes([1, 66, 0, 30, 0xFF, 0xE1, 0, len(SPS)]) + SPS


def unit(head: int, frame_num: int = 1) -> bytes:
    content = bytes([head, *to_bytes(golomb(0, 0, 0) + bits(frame_num, 4)), 7, 7])
    return len(content).to_bytes(4, "big") + content


class Packet(bytes):
    is_discard, is_keyframe, pts = False, False, 0


def collect(packets, reorder_depth=2, extradata=EXTRADATA):
    """Return the pts of unreferenced frames of a stream of packets: pts, and its units; the first is a key frame."""
    frames = UnreferencedFrames(SimpleNamespace(name="h264", extradata=extradata, reorder_depth=reorder_depth))
    for number, (pts, content) in enumerate(packets):
        packet = Packet(content)
        packet.pts, packet.is_keyframe = pts, number == 0
        frames.add(packet)
    return frames.pts()


IDR = unit(0x65, 0)


@pytest.mark.parametrize(
    ("content", "is_left_out"),
    [
        (unit(0x01), True),
        (unit(0x09) + unit(0x06) + unit(0x01) + unit(0x01), True),
        (unit(0x41), False),
        (unit(0x01) + unit(0x41), False),
        (unit(0x68) + unit(0x01), False),
        (len(SPS).to_bytes(4, "big") + SPS + unit(0x01), False),
        (unit(0x81), False),
    ],
)
def test_a_packet_of_one_unreferenced_frame_alone_is_left_out(content, is_left_out):
    assert collect([(0, IDR), (1, content)]) == ({1} if is_left_out else set())
    assert collect([(0, IDR), (2, unit(0x41)), (1, unit(0x01, 2))]) == {1}


@pytest.mark.parametrize(
    "content",
    [
        unit(0x06),
        unit(0x01)[:-1],
        unit(0x01) + b"\0\0",
        unit(0x67) + unit(0x01),
        b"\0\0\0\1\x01",
        b"\0\0\0\0" + unit(0x01),
    ],
)
def test_a_packet_that_cannot_be_read_leaves_every_frame(content):
    assert collect([(0, IDR), (1, unit(0x01)), (2, content)]) == set()


@pytest.mark.parametrize(
    ("frame_nums", "follow"), [((1, 1, 1), True), ((1, 2, 2), False), ((2, 2, 2), False), ((1, 1, 0), False)]
)
def test_a_gap_in_frame_num_leaves_every_frame(frame_nums, follow):
    """Unreferenced frames do not count; the referenced one at the end does."""
    first, second, last = frame_nums
    packets = [(0, IDR), (1, unit(0x01, first)), (2, unit(0x01, second)), (3, unit(0x41, last))]
    assert collect(packets) == ({1, 2} if follow else set())


def test_frame_num_starts_anywhere_and_wraps():
    packets = [(0, unit(0x41, 14)), (1, unit(0x01, 15)), (2, unit(0x41, 15)), (3, unit(0x01, 0)), (4, unit(0x41, 0))]
    assert collect(packets) == {1, 3}
    assert collect([*packets, (5, IDR), (6, unit(0x01))]) == {1, 3, 6}
    assert collect([(0, unit(0x01, 5)), (1, unit(0x01, 5)), (2, unit(0x41, 5)), (3, unit(0x41, 6))]) == {1}


def test_no_frame_is_left_out_before_the_first_key_frame():
    frames = UnreferencedFrames(SimpleNamespace(name="h264", extradata=EXTRADATA, reorder_depth=2))
    for pts, content, is_key in (
        (1, unit(0x01), False),
        (2, unit(0x01), False),
        (4, IDR, True),
        (3, unit(0x01), False),
    ):
        packet = Packet(content)
        packet.pts, packet.is_keyframe = pts, is_key
        frames.add(packet)
    assert frames.pts() == set()


def test_no_frame_is_left_out_where_that_may_change_the_order():
    def frames(*order):
        return [(order[0], IDR), *((pts, unit(0x01)) for pts in order[1:])]

    assert collect(frames(0, 4, 2, 1, 3)) == {4, 2, 1, 3}
    assert collect(frames(2, 0, 4, 3)) == {4, 3}, "those after the key frame"
    assert collect(frames(0, 4, 2, 1, 3), reorder_depth=1) == set()
    assert collect(frames(0, 4, 2, 2, 3)) == set()
    assert collect(frames(0, 4, None, 1, 3)) == set()
    assert collect([]) == set()


@pytest.mark.parametrize(
    "extradata", [b"\0\0\0\1\x67", None, b"\1", EXTRADATA[:-3], EXTRADATA[:5] + b"\xe2" + EXTRADATA[6:]]
)
def test_no_frame_is_left_out_of_a_stream_whose_parameters_cannot_be_read(extradata):
    assert collect([(0, IDR), (1, unit(0x01))], extradata=extradata) == set()


def test_a_lost_frame_leaves_every_frame(b_frames, tmp_path, monkeypatch):
    """A decoder makes up another in its place, which depends on the unreferenced frames before it."""
    path = tmp_path / "lost.mp4"
    with av.open(str(b_frames)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        referenced = [place for place, packet in enumerate(packets) if bytes(packet)[4] & 0x60]
        lost = next(place for place in referenced if place > 20 and place - 1 not in referenced)
        for place, packet in enumerate(packets):
            if place != lost:
                packet.stream = stream
                target.mux(packet)
    with VideoReader(str(path)) as reader:
        assert reader.unreferenced_pts() == set()
    assert read(path, monkeypatch, True)[0] == read(path, monkeypatch, False)[0]


def test_remuxed_streams_have_the_same_unreferenced_frames(b_frames, tmp_path):
    with VideoReader(str(remux(b_frames, tmp_path / "video.mkv"))) as reader, VideoReader(str(b_frames)) as source:
        assert len(reader.unreferenced_pts()) == len(source.unreferenced_pts()) > 30
