"""Score videos with a model, with no view on disk."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from x3d.dataset.naming import WHOLE, Shard
from x3d.execution.outcome import Outcome
from x3d.execution.progress import with_progress
from x3d.network.engine import EngineInfo
from x3d.pipeline.evaluate_settings import EvaluateSettings
from x3d.pipeline.run_line import describe_list, describe_model, log_run
from x3d.pipeline.scorers import describe_scorers, open_scoring_runner, plan_scorer, prepare_scorer
from x3d.pipeline.summary import RunSummary
from x3d.pipeline.video_scorer import VideoScorer
from x3d.scoring.outputs import SOFTMAX_KEY, Outputs
from x3d.scoring.running import RunningTop1
from x3d.storage.accuracy_file import remove_accuracy
from x3d.storage.evaluation_folder import count_rows, drop_changed, open_shard
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import evaluation_provenance
from x3d.storage.score_rows import ScoreRows, VideoScores, row_type


def evaluate(settings: EvaluateSettings, shard: Shard = WHOLE) -> RunSummary:
    """Score the shard's videos that have no row yet; x3d.pipeline.postprocess scores the folder.

    An earlier accuracy of the folder is removed first, so that whatever is rejected leaves none that looks current.

    Raises:
        InputError: model, engine or folder cannot be used; nothing is started.
        RunError: the folder cannot be written, or the engine fails; the run can be resumed.
    """
    remove_accuracy(settings.output_path)
    videos = shard.select(settings.videos)
    with contextlib.ExitStack() as stack:
        scorer = plan_scorer(settings)
        runner = stack.enter_context(open_scoring_runner(settings, scorer, [settings.path_prefix], videos))
        rows_dtype = row_type(settings.num_classes, settings.num_views, settings.ensemble_method)
        num_left = len(videos) - count_rows(settings.output_path, shard, rows_dtype)
        engine = prepare_scorer(settings, runner, num_left)
        provenance = _collect_provenance(settings, engine, scorer)
        manifest, rows = open_shard(settings.output_path, shard, provenance, settings.videos)
        stack.enter_context(rows)
        stack.enter_context(manifest.saved_on_exit())
        remove_accuracy(settings.output_path)  # again: the folder may be new
        drop_changed(rows, videos)
        done = set(rows.rows["video"].tolist())
        todo = [video for video in videos if video.index not in done]
        log_run(
            describe_list(settings.annotations, len(videos), len(todo), shard),
            describe_model(settings.model_path, engine, engine.batch_size or scorer.batch_size),
            describe_scorers(settings),
            f"output {settings.output_path}",
        )
        _record_all(runner.run(scorer, todo), rows, manifest, len(videos), settings.stop_at_first_failure)
    failed = list(manifest.failed().values())
    return RunSummary(len(videos), rows.num_rows, failed, manifest.path, rows.num_rotated, rows.num_corrupt)


def _collect_provenance(settings: EvaluateSettings, engine: EngineInfo, scorer: VideoScorer) -> dict[str, Any]:
    return evaluation_provenance(
        {**settings.view_config, SOFTMAX_KEY: settings.outputs is Outputs.LOGITS},
        settings.videos,
        settings.num_views,
        settings.ensemble_method,
        engine,
        scorer.model_digest,
        engine.batch_size or scorer.batch_size,
    )


def _record_all(
    outcomes: Iterator[Outcome[VideoScores]],
    rows: ScoreRows,
    manifest: Manifest,
    num_videos: int,
    stop_at_first_failure: bool,
) -> None:
    """Record the results of videos as they come, with a progress bar, and sync the rows."""
    running = RunningTop1()
    running.add(rows.rows["scores"], rows.rows["label"])
    for outcome in with_progress(outcomes, num_videos, stop_at_first_failure, rows.num_rows, running):
        _record(outcome, rows, manifest, running)
    rows.sync()


def _record(outcome: Outcome[VideoScores], rows: ScoreRows, manifest: Manifest, running: RunningTop1) -> None:
    """Record the result of a video: its scores as a row, or its failure in the manifest."""
    video = outcome.video
    if outcome.value is None:
        manifest.record_failed(video, outcome.reason, outcome.text)
    else:
        rows.append(video, outcome.value)
        running.add(outcome.value.scores[None], np.array([video.label]))
        manifest.forget(video.index)
