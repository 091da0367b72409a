"""What folders and annotation files claim about the class of each video, and whether their numbers agree with names."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from x3d.dataset.annotation_files import Annotation, AnnotationFile
from x3d.dataset.class_names import ClassNames
from x3d.dataset.video_files import VideoFile, video_id
from x3d.errors import InputError, counted, shorten_list
from x3d.scoring.class_order import known_orders

MIN_SHARE_FITTING = 0.9
"""The rest may be errors of single rows."""
MIN_SHARE_CONFIRMED = 0.5
"""Fewer may all be of classes that another order does not move."""


@dataclass(frozen=True)
class Claim:
    """The class of a video according to a source.

    Attributes:
        source: path of an annotation file; empty: the folder that the video lies in.
        text: the source with its line and the class by it, for messages.
        by_index: by a number, not by a name.
    """

    label: int
    source: str
    text: str
    by_index: bool = False


Claims = Mapping[str, Sequence[Claim]]
"""The claims about each video id, those of annotation files first."""


def collect_claims(
    files: Sequence[AnnotationFile],
    videos: Sequence[VideoFile],
    names: ClassNames,
    identify: Callable[[str], str] = video_id,
) -> Claims:
    """Collect the claims about every video.

    Args:
        identify: returns what identifies a video by its path.
    Raises:
        InputError: a name is none of the classes, or a number outside of them.
    """
    claims: defaultdict[str, list[Claim]] = defaultdict(list)
    for file in files:
        _check_names(file, names)
        for row in file.rows:
            claims[row.video_id] += _claims_of_row(file.path, row, names)
    for video in videos:
        label = names.find(video.folder)
        if label is not None:
            claims[identify(video.path)].append(Claim(label, "", f"folder {video.folder!r}"))
    return {key: found for key, found in claims.items() if found}


def _claims_of_row(path: str, row: Annotation, names: ClassNames) -> Iterator[Claim]:
    place = f"{path} {row.place}"
    label = names.find(row.name) if row.name is not None else None
    if label is not None:
        yield Claim(label, path, f"{place} {row.name!r}")
    label = names.find(row.folder)
    if label is not None:
        yield Claim(label, path, f"{place} folder {row.folder!r}")
    if row.index is not None and row.index >= 0:
        yield Claim(row.index, path, f"{place} label {row.index}, {names.name(row.index)!r}", by_index=True)


def _check_names(file: AnnotationFile, names: ClassNames) -> None:
    spelled = names.names or ()
    for row in file.rows:
        if row.index is not None and not -1 <= row.index < len(spelled):
            limits = f"-1..{len(spelled) - 1}"
            from_one = row.index == len(spelled) and all(row.index != 0 for row in file.rows)
            remedy = "its labels seem to begin with 1: subtract 1 from each" if from_one else "set MODEL.NUM_CLASSES"
            raise InputError(f"{file.path} {row.place}: label {row.index} is outside {limits}; {remedy}")
    unknown = [row for row in file.rows if row.name is not None and names.find(row.name) is None]
    if unknown:
        first = unknown[0].name or ""
        near = "".join(f", as {name!r} is" for name in difflib.get_close_matches(first, spelled, n=1))
        raise InputError(
            f"{file.path} {unknown[0].place}: {first!r} is no class of {names.source}{near} "
            f"({counted(len(unknown), 'such row')} of {len(file.rows)}); correct the name, give the file of this data "
            "set, or set DATA.CLASS_NAMES"
        )


def check_indices(claims: Claims, names: ClassNames) -> list[str]:
    """Check the numbers of each annotation file against the names that folders and other files give its videos.

    Returns:
        Files of whose numbers names confirm less than MIN_SHARE_CONFIRMED.
    Raises:
        InputError: numbers contradict names; the text names the order of the classes that they follow.
    """
    pairs: defaultdict[str, list[tuple[Claim, Claim]]] = defaultdict(list)
    num_claims: Counter[str] = Counter()
    for found in claims.values():
        named = {claim.label: claim for claim in reversed(found) if not claim.by_index}
        for claim in (claim for claim in found if claim.by_index):
            num_claims[claim.source] += 1
            if named:
                pairs[claim.source].append((claim, named.get(claim.label, next(iter(named.values())))))
    for source, checked in pairs.items():
        _check_pairs(source, checked, names.names or ())
    return [source for source, number in num_claims.items() if len(pairs[source]) < MIN_SHARE_CONFIRMED * number]


def _check_pairs(source: str, pairs: Sequence[tuple[Claim, Claim]], names: Sequence[str]) -> None:
    wrong = [(index, name) for index, name in pairs if index.label != name.label]
    if not wrong:
        return
    order = find_order([name.label for _, name in pairs], [index.label for index, _ in pairs], names)
    fit = f"they follow the order of {order}" if order else "they follow no known order"
    index, name = wrong[0]
    raise InputError(
        f"{index.text}, contradicts {name.text}, as {len(wrong)} of {counted(len(pairs), 'label')} of {source} "
        f"contradict names; {fit}: leave the file out, or write its labels in the order of the names"
    )


def find_order(labels: Sequence[int], listed: Sequence[int], names: Sequence[str]) -> str:
    """Find the wrong order of the classes that numbers follow, empty if none does.

    An order explains MIN_SHARE_FITTING of the numbers, and of those that contradict the right one.

    Args:
        labels: the classes by name.
        listed: the numbers in the list.
    """
    present = np.unique(labels)
    absent = [name for label, name in enumerate(names) if label not in set(present.tolist())]
    ranks = np.full(len(names), -1)
    ranks[present] = np.arange(len(present))
    orders = {"numbers that begin with 1": np.arange(len(names)) + 1} | dict(known_orders(names))
    if absent:
        orders = {f"class folders without {shorten_list([repr(name) for name in absent])}": ranks} | orders
    true, found = np.array(labels), np.array(listed)
    fits = {text: order[true] == found for text, order in orders.items()}
    best = max(fits, key=lambda text: int(fits[text].sum()))
    share = min(fits[best].mean(), fits[best][true != found].mean())
    return best if share >= MIN_SHARE_FITTING else ""
