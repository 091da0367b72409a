"""A list in another class order is recognised, and a list in the right one never is."""

import numpy as np
import pytest

from x3d.dataset.class_names import kinetics400_names
from x3d.scoring.class_order import check_class_order, known_orders

QUOTED = "names sorted with the quotes of a csv file"
LOCALE = "names sorted by a locale that ignores spaces and punctuation"
FIRST = ["brush", "paint", "wash", "push", "ski", "spray", "water", "bake", "cook", "throw"]
SECOND = ["", "ing", " jumping", " teeth", "ing car", " up", "ing crosscountry", "ing_sport"]
NAMES = sorted(first + second for first in FIRST for second in SECOND)


def run(
    num_videos: int, accuracy: float, order: np.ndarray | None = None, seed: int = 0, num_classes: int = len(NAMES)
) -> tuple[np.ndarray, np.ndarray]:
    """Make up the predictions and labels of a run whose list is in another order."""
    random = np.random.default_rng(seed)
    true = np.arange(num_videos) % num_classes if num_videos >= num_classes else random.permutation(num_classes)
    true = true[:num_videos]
    predicted = np.where(random.random(num_videos) < accuracy, true, random.integers(num_classes, size=num_videos))
    labels = true if order is None else order[true]
    return predicted[labels >= 0], labels[labels >= 0]


def moved(order: np.ndarray) -> int:
    return int((order != np.arange(len(order))).sum())


def test_orders_by_hand():
    orders = known_orders(["air drumming", "archery", "push up", "pushing car"])
    assert {text: order.tolist() for text, order in orders.items()} == {
        QUOTED: [0, 3, 1, 2],
        LOCALE: [0, 1, 3, 2],
        "class folders without 'air drumming'": [-1, 0, 1, 2],
        "class folders without 'archery'": [0, -1, 1, 2],
        "class folders without 'push up'": [0, 1, -1, 2],
    }


def test_a_locale_ignores_capitals():
    assert known_orders(["push B", "push a"])[LOCALE].tolist() == [1, 0]


def test_an_order_that_moves_no_class_is_left_out():
    assert list(known_orders(["a", "b"])) == ["class folders without 'a'"]
    assert known_orders([]) == known_orders(["a"]) == {}


def test_kinetics_orders_move_as_many_classes_as_they_are_known_to():
    names = kinetics400_names()
    orders = known_orders(names)
    assert moved(orders[QUOTED]) == 395
    assert moved(orders[LOCALE]) == 15
    assert moved(orders["class folders without 'abseiling'"]) == 400
    assert moved(orders["names sorted without their parentheses"]) == 2
    assert len(orders) == 3 + 399
    for text, order in orders.items():
        assert len(set(order.tolist())) == 400, text


def test_a_message_names_order_figures_and_advice():
    order = known_orders(NAMES)[QUOTED]
    predicted, labels = run(1000, 0.7, order)
    expected = 100 * (order[predicted] == labels).mean()
    listed = 100 * (predicted == labels).mean()
    assert check_class_order(predicted, labels, NAMES) == (
        f"the 1000 labelled videos are listed in the order of {QUOTED}; with the right order top-1 would be "
        f"{expected:.1f} % instead of {listed:.1f} %; make the list with the class order of the names, in which class "
        "0 is 'bake'"
    )
    assert expected > 60 > 10 > listed


@pytest.mark.parametrize("num_videos", [4000, 19761])
def test_every_known_order_is_recognised(num_videos):
    for text, order in known_orders(NAMES).items():
        predicted, labels = run(num_videos, 0.7, order)
        assert f"in the order of {text};" in check_class_order(predicted, labels, NAMES)


@pytest.mark.parametrize("num_videos", [2000, 19761])
def test_the_orders_of_kinetics_are_recognised(num_videos):
    names = kinetics400_names()
    for text in (QUOTED, LOCALE, "class folders without 'abseiling'", "class folders without 'hammer throw'"):
        predicted, labels = run(num_videos, 0.72, known_orders(names)[text], num_classes=400)
        assert f"in the order of {text};" in check_class_order(predicted, labels, names)


def test_a_totally_wrong_list_of_100_videos_is_recognised():
    order = known_orders(NAMES)[QUOTED]
    true = np.array([number for number in range(len(NAMES)) if order[number] != number] * 2)[:100]
    assert f"order of {QUOTED}; with the right order top-1 would be 100.0 % instead of 0.0 %" in check_class_order(
        true, order[true], NAMES
    )
    assert check_class_order(true[:99], order[true[:99]], NAMES) is None


@pytest.mark.parametrize(("num_gained", "reported"), [(24, False), (25, True)])
def test_the_order_must_be_five_standard_errors_better(num_gained, reported):
    last = len(NAMES) - 1
    labels = np.arange(1000) % (last - 1)
    labels[:num_gained] = last - 1
    predicted = np.where(labels == last - 1, last, labels)
    assert 24 < 5 * (24 - 24**2 / 1000) ** 0.5 < 5 * (25 - 25**2 / 1000) ** 0.5 < 25
    text = check_class_order(predicted, labels, NAMES)
    assert (text is not None) == reported
    if reported:
        assert f"folders without {NAMES[-2]!r}; with the right order top-1 would be 100.0 % instead of 97.5 %" in text


@pytest.mark.parametrize("accuracy", [0.0, 0.03, 0.3, 0.75, 1.0])
@pytest.mark.parametrize("num_videos", [80, 100, 400, 2000])
def test_a_list_in_the_right_order_is_never_reported(num_videos, accuracy):
    for seed in range(100):
        predicted, labels = run(num_videos, accuracy, seed=seed)
        assert check_class_order(predicted, labels, NAMES) is None, seed


def test_a_network_that_confuses_neighbours_is_not_a_wrong_order():
    predicted, labels = run(2000, 0.75)
    confused = predicted.copy()
    confused[(labels == 3) | (labels == 17)] += 1
    assert check_class_order(confused, labels, NAMES) is None
    assert check_class_order(np.full(2000, 5), labels, NAMES) is None, "a network that predicts one class"
    assert check_class_order(np.full(200, 5), np.full(200, 6), NAMES) is None, "a list of one class"
    assert check_class_order(np.full(1000, 11), np.arange(1000) % 10 + 1, NAMES) is None, "both, and 10 % by chance"
    assert check_class_order(np.full(1000, 11), np.arange(1000) % 10 + 1, None) is None
    few = np.arange(1000) % 2 + 3
    assert check_class_order(few + 1, few, NAMES) is None, "a list of two classes"
    assert check_class_order(few + 30, few, NAMES) is None, "a list of two classes, and predictions of two others"


@pytest.mark.parametrize("num_classes", [4, 8, 16])
def test_few_classes_that_a_network_confuses_are_no_wrong_order(num_classes):
    names = NAMES[:num_classes]
    for seed in range(100):
        random = np.random.default_rng(seed)
        confusions = 0.7 * random.dirichlet(np.full(num_classes, 0.3), size=num_classes) + 0.3 * np.eye(num_classes)
        labels = random.integers(num_classes, size=400)
        predicted = (random.random((400, 1)) > confusions[labels].cumsum(axis=1)[:, :-1]).sum(axis=1)
        assert check_class_order(predicted, labels, names) is None, seed


def test_an_unknown_order_is_reported_without_a_name():
    order = np.random.default_rng(1).permutation(len(NAMES))
    text = check_class_order(*run(2000, 0.7, order), NAMES)
    assert text.startswith("list and network seem to use different class orders: top-1 of the 2000 labelled videos is ")
    assert "with the labels in an order that none of the known ones is; make the list with the class order" in text
    assert check_class_order(*run(2000, 0.7, order), None) == text, "names are not needed for it"


def test_a_top_1_of_a_tenth_is_no_unknown_order():
    order = np.arange(len(NAMES))
    order[len(NAMES) // 6 :] = np.random.default_rng(1).permutation(order[len(NAMES) // 6 :])
    predicted, labels = run(4000, 0.8, order)
    assert 8 < 100 * (predicted == labels).mean() < 20
    assert check_class_order(predicted, labels, NAMES) is None


def test_few_videos_per_class_show_no_unknown_order():
    order = np.random.default_rng(1).permutation(400)
    assert check_class_order(*run(1000, 0.7, order, num_classes=400), None) is None
    assert check_class_order(*run(2000, 0.7, order, num_classes=400), None) is not None


def test_videos_without_a_label_take_no_part():
    predicted, labels = run(99, 1.0, known_orders(NAMES)[QUOTED])
    predicted, labels = np.append(predicted, [0] * 50), np.append(labels, [-1] * 50)
    assert check_class_order(predicted, labels, NAMES) is None
    nothing = np.zeros(0, dtype=np.int64)
    assert check_class_order(nothing, nothing, NAMES) is None
    assert check_class_order(np.zeros(200, int), np.full(200, -1), NAMES) is None


def test_a_hostile_name_is_escaped():
    names = ["\x1b[31m" + name for name in NAMES]
    order = known_orders(NAMES)["class folders without 'bakeing'"]
    text = check_class_order(*run(1000, 0.9, order), names)
    assert r"folders without '\x1b[31mbakeing'" in text
    assert "\x1b" not in text
