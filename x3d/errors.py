"""Exceptions, the reasons why a video fails, and the formatting of problems and counts."""

import os
import re
from collections.abc import Iterable, Sequence

MAX_LISTED_PROBLEMS = 20
MAX_NAMED = 3
MAX_QUOTED = 300
"""Characters of a line of another program."""

_PLACE = re.compile(r"Exception from |Check '|While validating |FrontEnd API failed")
"""How lines of OpenVINO start that name a place in its source."""
_OUT_OF_MEMORY = re.compile(r"can(no|')t allocate|failed to map segment", re.IGNORECASE)
_ERROR_CODE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (?:/\S+:\d+ .*?\) (?:const )?)?")
"""How texts of ONNX Runtime start: with a code and, at times, the file and function of its source."""

REASONS = {
    "missing": "no such file",
    "unreadable": "the file exists but cannot be opened or read",
    "empty": "the file has no bytes",
    "not_a_video": "not a video file, or one whose index (moov) is missing",
    "no_video_stream": "no video in the file, only sound, pictures or other data",
    "no_decoder": "FFmpeg has no decoder for the stream",
    "no_frame_rate": "the stream has no average frame rate",
    "no_frames": "a video stream without a frame",
    "no_timestamps": "frames without a presentation timestamp",
    "damaged": "parts of the file cannot be decoded",
    "truncated": "the file ends too early",
    "size_changes": "frames of more than one size",
    "too_large": "its frames are larger, or need more memory, than a worker process allows",
    "changed": "the file was replaced or written to while it was read",
    "not_finite": "the model returned scores that are not finite",
    "reference_failed": "PySlowFast could not decode it (BACKEND slowfast)",
    "crashed": "the worker process died, twice",
    "timed_out": "it took longer than X3D_WORKERS.TIMEOUT, twice",
    "internal_error": "an error of this program, not of the video",
}
"""Reason codes of a failed video, and what each means."""


class RunError(Exception):
    """A run that started and cannot continue; its finished work is saved."""


class ScoringError(RunError):
    """A set that cannot be scored: views are missing, unexpected or unusable; the text lists them."""


class InputError(ValueError):
    """What the user gave cannot be used, so nothing is started; the text names file or key, and what to do."""


class EngineError(InputError):
    """The engine is unavailable, or failed to load or run the model; the text names file and device."""


class PrecisionError(EngineError):
    """The device does not compute natively in the precision asked for."""


class VideoError(Exception):
    """A video that cannot be used: a reason code out of REASONS, the file, and the detail."""

    def __init__(self, reason: str, path: str, detail: str = "") -> None:
        super().__init__(reason, path, detail)
        self.reason = reason
        self.path = path
        self.detail = detail

    def __str__(self) -> str:
        return one_line(f"{self.path}: {REASONS[self.reason]}" + (f" ({self.detail})" if self.detail else ""))


def one_line(text: str) -> str:
    """Escape newlines, which names of files and of tensors may contain."""
    return text.replace("\n", "\\n")


def cause_of(error: BaseException) -> str:
    """Cut the text of a library's error to one line with its cause.

    OpenVINO summarises in lines with two dashes; other texts start with the cause, after places in the source.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    summary = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    causes = summary[-1:] or [line for line in lines if not _PLACE.match(line)] or lines or [repr(error)]
    return _ERROR_CODE.sub("", causes[0]).rstrip(".:")


def is_out_of_memory(error: BaseException) -> bool:
    """Check for an error that means too little memory: Python's, torch's, or the loader's of shared libraries."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


def describe_os_error(error: OSError) -> str:
    """Format an error of the operating system: `No space left on device: '/data/7_3.npy'`."""
    if not error.strerror:
        return str(error)
    if not error.filename and isinstance(error, FileNotFoundError) and not _has_current_folder():
        return "the current folder does not exist any more; change to another (cd) and run the command there"
    return f"{error.strerror}: {os.fsdecode(error.filename)!r}" if error.filename else error.strerror


def _has_current_folder() -> bool:
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def counted(number: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun: 1 video, 2 videos.

    Args:
        plural: of a noun that takes no s.
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def shorten_list(names: Sequence[str]) -> str:
    """Join names; of more than three the first, with a count: `a, b, c and 4 more`."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return one_line(", ".join(names[:MAX_NAMED])) + more


def shorten_text(text: str) -> str:
    """Cut a line that another program printed to a length that a message can hold."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def group_problems(problems: Iterable[tuple[str, str]], noun: str) -> list[str]:
    """Join each file with its problem; of a problem that many files have, the first file and their number.

    Args:
        problems: file and the end of a sentence that begins with it.
        noun: of what the files are, singular.
    """
    files: dict[str, list[str]] = {}
    for name, problem in problems:
        files.setdefault(problem, []).append(name)
    texts = []
    for problem, names in files.items():
        if len(names) > MAX_LISTED_PROBLEMS:
            texts.append(f"{names[0]} {problem} ({counted(len(names) - 1, f'other {noun}')} likewise)")
        else:
            texts += [f"{name} {problem}" for name in names]
    return texts


def format_problems(problems: Sequence[str]) -> str:
    """Join problems into lines for a message, one each: the first 20, then how many more there are."""
    num_more = len(problems) - MAX_LISTED_PROBLEMS
    more = [f"... and {num_more} more"] if num_more > 0 else []
    return "\n".join([*map(one_line, problems[:MAX_LISTED_PROBLEMS]), *more])
