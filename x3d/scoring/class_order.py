"""Recognise a list whose labels follow another order of the classes than the network's.

The known wrong orders are those that people make: Kinetics' csv files sorted with their quotes, folders sorted by the
rules of a language, and folders of a copy in which a class is missing. Dimensions: n videos, C classes.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from x3d.errors import counted

MIN_VIDEOS = 100
MIN_STANDARD_ERRORS = 5
MIN_TIMES_COMMONEST = 2
"""How much more an order must explain than a network that predicts the commonest label of the list alone."""
MAX_PERCENT_WITHOUT_ORDER = 5
MIN_PERCENT_ASSIGNED = 50
MIN_VIDEOS_PER_CLASS = 5
"""With fewer, an assignment of classes explains much of random predictions: all of one video per class."""
ADVICE = "make the list with the class order of the names"


def known_orders(names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Compute the known wrong orders of a list of names.

    Returns:
        What the order is -> (C,) int64, the label that a list in that order gives each class; -1 for a class that it
        does not contain. Orders that change no label are left out.
    """
    orders = {
        "names sorted with the quotes of a csv file": _sorted_by(names, _csv_cell),
        "names sorted by a locale that ignores spaces and punctuation": _sorted_by(names, _letters),
        "names sorted without their parentheses": _sorted_by(names, _without_parentheses),
    }
    for missing, name in enumerate(names):
        labels = np.arange(len(names)) - (np.arange(len(names)) > missing)
        labels[missing] = -1
        orders[f"class folders without {name!r}"] = labels
    unchanged = np.arange(len(names))
    return {text: labels for text, labels in orders.items() if ((labels != unchanged) & (labels >= 0)).any()}


def _sorted_by(names: Sequence[str], key: Callable[[str], str]) -> np.ndarray:
    """Number the names in sorted order; names with equal keys by code points."""
    labels = np.empty(len(names), dtype=np.int64)
    labels[sorted(range(len(names)), key=lambda number: (key(names[number]), names[number]))] = np.arange(len(names))
    return labels


def _csv_cell(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _without_parentheses(name: str) -> str:
    return name.replace("(", "").replace(")", "")


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def check_class_order(predicted: np.ndarray, labels: np.ndarray, names: Sequence[str] | None) -> str | None:
    """Check whether the labels of a list follow another class order than the network's predictions.

    At least MIN_VIDEOS videos need a label. An order must explain more than MIN_TIMES_COMMONEST times the videos of the
    commonest label: a network that predicts few classes, or a list of few, would fit one by chance.

    Args:
        predicted: (n,) int, the best class of each video.
        labels: (n,) int, -1 without a label.
        names: of all C classes, in the network's order; None if unknown.
    Returns:
        A warning: the order that fits, top-1 with and without it, and what to do; None if the order seems right.
    """
    names = names or ()
    labelled = labels >= 0
    predicted, labels = predicted[labelled], labels[labelled]
    if len(labels) < MIN_VIDEOS:
        return None
    listed = 100 * float((predicted == labels).mean())
    chance = MIN_TIMES_COMMONEST * 100 * int(np.bincount(labels).max()) / len(labels)
    order, ordered = _find_known_order(predicted, labels, names)
    assigned = _assign_classes(predicted, labels) if listed < MAX_PERCENT_WITHOUT_ORDER else 0.0
    videos = counted(len(labels), "labelled video")
    if assigned > max(MIN_PERCENT_ASSIGNED, 2 * ordered, chance):
        return (
            f"list and network seem to use different class orders: top-1 of the {videos} is {listed:.1f} %, and would "
            f"be {assigned:.1f} % with the labels in an order that none of the known ones is; {ADVICE}, and check "
            "that it is the network's"
        )
    if ordered > chance:
        return (
            f"the {videos} are listed in the order of {order}; with the right order top-1 would be {ordered:.1f} % "
            f"instead of {listed:.1f} %; {ADVICE}, in which class 0 is {names[0]!r}"
        )
    return None


def _find_known_order(predicted: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> tuple[str, float]:
    """Find the known order with the highest top-1 of those far above the list's own, and that top-1 in percent."""
    listed = predicted == labels
    best, most = "", 0
    for text, order in known_orders(names).items():
        reordered = order[predicted] == labels
        if reordered.sum() > most and _is_far_above(reordered, listed):
            best, most = text, int(reordered.sum())
    return best, 100 * most / len(labels)


def _is_far_above(reordered: np.ndarray, listed: np.ndarray) -> bool:
    """Check whether a top-1 is more than MIN_STANDARD_ERRORS above the list's own.

    The standard error is that of the paired difference, because both are of the same predictions: only videos that are
    right in one order alone contribute.

    Args:
        reordered, listed: (n,) bool, the videos that are right in either order.
    """
    gained, lost = int((reordered & ~listed).sum()), int((listed & ~reordered).sum())
    difference = gained - lost
    return difference > MIN_STANDARD_ERRORS * math.sqrt(gained + lost - difference**2 / len(listed))


def _assign_classes(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Compute the highest top-1, in percent, with the labels in any order; 0 if the videos are too few for that."""
    from scipy.optimize import linear_sum_assignment

    if len(labels) < MIN_VIDEOS_PER_CLASS * len(np.unique(labels)):
        return 0.0
    num_classes = 1 + int(max(predicted.max(), labels.max()))
    confusions = np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, -1)
    return 100 * float(confusions[linear_sum_assignment(confusions, maximize=True)].sum()) / len(labels)
