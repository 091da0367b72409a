"""From scores of views to accuracy: pure functions, and the values they return."""

from x3d.scoring.accuracy import Accuracy, Share, check_problems, count_top_k, final_line, measure_accuracy
from x3d.scoring.aggregate import aggregate_views
from x3d.scoring.audit import Audit, audit_views, find_failures, majority_labels
from x3d.scoring.table import Failure, ScoreTable

__all__ = [
    "Accuracy",
    "Audit",
    "Failure",
    "ScoreTable",
    "Share",
    "aggregate_views",
    "audit_views",
    "check_problems",
    "count_top_k",
    "final_line",
    "find_failures",
    "majority_labels",
    "measure_accuracy",
]
