"""Judge whether a converted model returns the scores of the original for the same views; labels are not needed."""

from dataclasses import dataclass

import numpy as np

from x3d.scoring.intervals import wilson_interval
from x3d.scoring.noninferiority import Verdict
from x3d.scoring.outputs import Outputs, explain_unusable, find_unusable, to_probabilities


@dataclass(frozen=True)
class Thresholds:
    """What a conversion may change.

    Attributes:
        min_agreement_percent: views with the same best class.
        max_difference: of a probability.
    """

    min_agreement_percent: float = 99.0
    max_difference: float = 0.02


@dataclass(frozen=True)
class Agreement:
    """How far a conversion agrees with the original.

    Attributes:
        num_agreeing: views with the same best class.
        max_difference: of a probability, among the views with usable outputs; None: there are none.
        worst_view: position of the view with that difference.
        num_unusable: views whose outputs of the conversion are no scores.
        defect: why the first of these is unusable, the end of a sentence; empty: there are none.
    """

    num_views: int
    num_agreeing: int
    max_difference: float | None
    worst_view: int | None
    num_unusable: int
    defect: str
    thresholds: Thresholds

    @property
    def agreement_percent(self) -> float:
        """Share of the views with the same best class."""
        return 100 * self.num_agreeing / self.num_views

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson limits of that share, at 95 %, in percent."""
        return wilson_interval(self.num_agreeing, self.num_views)

    @property
    def verdict(self) -> Verdict:
        """Judge: FAIL if outputs are unusable or the agreement and its upper limit are below the threshold.

        PASS if the agreement reaches its threshold and no probability differs by more than allowed; else UNDECIDED.
        """
        needed = self.thresholds.min_agreement_percent
        if self.num_unusable or self.max_difference is None or max(self.agreement_percent, self.interval[1]) < needed:
            return Verdict.FAIL
        if self.agreement_percent >= needed and self.max_difference <= self.thresholds.max_difference:
            return Verdict.PASS
        return Verdict.UNDECIDED


def judge_outputs(reference: np.ndarray, candidate: np.ndarray, outputs: Outputs, thresholds: Thresholds) -> Agreement:
    """Compare the outputs of two models, view by view, as probabilities.

    Args:
        reference: (n, num_classes) float32, usable as `outputs`, with n > 0.
        candidate: of the same shape and type.
    """
    unusable = find_unusable(candidate, outputs)
    first = int(unusable.argmax())
    agreeing = ~unusable & (reference.argmax(axis=1) == candidate.argmax(axis=1))
    usable = np.flatnonzero(~unusable)
    differences = np.abs(to_probabilities(reference[usable], outputs) - to_probabilities(candidate[usable], outputs))
    worst = differences.max(axis=1)
    return Agreement(
        num_views=len(reference),
        num_agreeing=int(agreeing.sum()),
        max_difference=float(worst.max()) if len(usable) else None,
        worst_view=int(usable[worst.argmax()]) if len(usable) else None,
        num_unusable=int(unusable.sum()),
        defect=explain_unusable(candidate[first], outputs).partition(";")[0] if unusable.any() else "",
        thresholds=thresholds,
    )


def find_outputs(rows: np.ndarray) -> Outputs | None:
    """Find out what a model returns from its outputs; None: neither probabilities nor logits.

    Args:
        rows: (n, num_classes) float32.
    """
    return next((outputs for outputs in Outputs if not find_unusable(rows, outputs).any()), None)
