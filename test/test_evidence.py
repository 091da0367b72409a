"""The simulations run, and the committed results have the error rates, powers and levels that are expected."""

import json

import numpy as np
import pytest

from benchmarks import evidence, evidence_tables
from benchmarks.common import RESULTS, load_results

MAX_ERROR_PERCENT = 6.4
NULL_LEVELS = {100: 11.6, 400: 5.6, 2000: 2.5, 19761: 0.8}


@pytest.fixture(scope="module")
def results() -> dict:
    return json.loads((RESULTS / "evidence.json").read_text())


def test_a_quick_run_makes_every_table(tmp_path, capsys):
    evidence.main(["--quick", "--output", str(tmp_path / "evidence.json")])
    assert '"num_pairs": 20' in capsys.readouterr().out
    read = load_results(tmp_path)
    assert read["evidence"]["quick"] is True
    for name, made in evidence_tables.TABLES.items():
        assert made(read).count("|") >= 20, name
    assert "| 19761 | 8% |" in evidence_tables.at_margin(read)
    assert "| 3.0% | 0.123 | 0.203 | 1583 | 889 | 150331 | 3434 |" in evidence_tables.numbers_of_videos(read)
    assert "| -0.517 to -0.026 | -0.517 to -0.026 |" in evidence_tables.published(read)


def test_planted_shares_are_drawn():
    random = np.random.default_rng(0)
    certain = evidence.simulate_verdicts(2000, 0.08, 8, 20, random)
    assert certain == {"pass_percent": 0, "fail_percent": 100, "undecided_percent": 0}
    assert evidence.simulate_verdicts(19761, 0.08, -8, 20, random)["pass_percent"] == 100


def test_the_committed_simulations_are_of_a_full_run(results):
    assert (results["quick"], results["num_pairs"], results["num_trials"]) == (False, 10000, 200)
    assert len(results["commit"]) == 40
    settings = {(row["num_videos"], row["flip_share"]) for row in results["at_margin"]}
    assert settings == {(num, share) for num in (400, 2000, 19761) for share in (0.01, 0.02, 0.08)}


def test_verdicts_at_the_margin_are_rarely_wrong(results):
    for row in results["at_margin"]:
        if row["num_videos"] >= 2000:
            assert max(row["pass_percent"], row["fail_percent"]) <= MAX_ERROR_PERCENT, row


def test_the_power_is_that_of_the_formula_where_flips_are_many(results):
    rows = [row for row in results["without_drop"] if row["num_videos"] * row["flip_share"] > 100]
    assert len(rows) >= 5
    for row in rows:
        assert row["pass_percent"] == pytest.approx(row["expected_pass_percent"], abs=2), row
        assert row["fail_percent"] <= 1


def test_null_levels_are_the_published_ones(results):
    assert [row["num_videos"] for row in results["calibrated"]] == list(NULL_LEVELS)
    for row in results["calibrated"]:
        assert row["ece_percent"] == pytest.approx(NULL_LEVELS[row["num_videos"]], abs=0.3)
        assert row["null_ece_percent"] == pytest.approx(NULL_LEVELS[row["num_videos"]], abs=0.3)
        assert 1 <= row["above_null_high_percent"] <= 10


def test_a_run_against_itself_passes_from_the_floor_on(results):
    assert results["without_flips"] == {"365": "UNDECIDED", "366": "PASS"}
