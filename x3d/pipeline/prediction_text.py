"""Format predictions for a terminal."""

import unicodedata

from x3d.errors import counted, one_line
from x3d.files import printable
from x3d.pipeline.video_predictor import Prediction

BAR_WIDTH = 20
BLOCKS = "█▏▎▍▌▋▊▉"
"""A whole block, and eighths of one."""


def format_prediction(prediction: Prediction, in_steps: bool, encoding: str = "utf-8") -> str:
    """Format a video as a block: its path, then a line per class or, of a video in steps, per segment.

    Args:
        encoding: of the terminal; bars are made of `#` where it has no blocks.
    """
    end = prediction.segments[-1].end_seconds
    num_views = sum(segment.num_views for segment in prediction.segments)
    title = f"{one_line(printable(prediction.path))} ({end:.1f} s, {counted(num_views, 'view')})"
    rows = []
    for segment in prediction.segments:
        span = f"{_clock(segment.start_seconds, end)} to {_clock(segment.end_seconds, end)}  " if in_steps else ""
        for found in segment.classes:
            agreeing = f"{found.num_agreeing} of {counted(segment.num_views, 'view')}"
            rows.append((span, found.name, found.probability, agreeing))
    names = max(_width(name) for _, name, _, _ in rows)
    counts = max(len(agreeing) for *_, agreeing in rows)
    lines = [
        f"  {span}{_pad(name, names)}  {100 * probability:5.1f} %  {_bar(probability, encoding)}  {agreeing:>{counts}}"
        for span, name, probability, agreeing in rows
    ]
    return "\n".join([title, *lines])


def _clock(seconds: float, longest: float) -> str:
    """Format a time as m:ss.s or h:mm:ss.s, as wide as the longest."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    text = f"{rest // 10:02d}.{rest % 10}"
    if longest < 3600:
        return f"{minutes:{len(str(int(longest // 60)))}d}:{text}"
    return f"{minutes // 60:{len(str(int(longest // 3600)))}d}:{minutes % 60:02d}:{text}"


def _bar(probability: float, encoding: str) -> str:
    eighths = round(8 * BAR_WIDTH * min(max(probability, 0.0), 1.0))
    blocks = BLOCKS[0] * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")
    try:
        BLOCKS.encode(encoding)
    except UnicodeEncodeError:
        blocks = "#" * round(eighths / 8)
    return blocks.ljust(BAR_WIDTH)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Count the columns of a text in a terminal: two for a wide character, none for a combining one."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(bool(unicodedata.combining(character)) for character in text)
