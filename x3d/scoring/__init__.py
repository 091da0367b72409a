"""From scores of views to accuracy: pure functions, and the values they return."""

from x3d.scoring.accuracy import Accuracy, Share, count_top_k, final_line, measure_accuracy
from x3d.scoring.aggregate import aggregate_views
from x3d.scoring.audit import Audit, audit_views, describe_missing, majority_labels
from x3d.scoring.table import ScoreTable

__all__ = [
    "Accuracy",
    "Audit",
    "ScoreTable",
    "Share",
    "aggregate_views",
    "audit_views",
    "count_top_k",
    "describe_missing",
    "final_line",
    "majority_labels",
    "measure_accuracy",
]
