"""Faulty inputs of every kind, and what the scripts report about them."""

from test.faults import (
    annotation_files,
    annotations,
    checkpoints,
    concealed,
    configuration,
    evaluations,
    models,
    predictions,
    reports,
    results,
    runs,
    views,
)
from test.faults.videos import FILES, write_corpus

__all__ = ["FAULTS", "FILES", "write_corpus"]

AREAS = (
    *(concealed, annotations, annotation_files, configuration, checkpoints, models, views, results, evaluations),
    *(reports, predictions, runs),
)
FAULTS = [(area.__name__.rpartition(".")[2], fault) for area in AREAS for fault in area.FAULTS]
"""Area and row of every fault that is not of a video."""
