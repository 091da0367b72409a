"""Scripts stopped at moments from their first line to their end; `python -m test.stop_at_moments` tries many more."""

from test.stop_at_moments import run


def test_a_script_stopped_at_any_moment_leaves_nothing_and_resumes(tmp_path):
    found = list(run(9, tmp_path))
    assert {script for script, *_ in found} == {"x3d_preprocess.py", "x3d_infer.py", "x3d_evaluate.py"}
    assert [trial for trial in found if trial[-1]] == []
