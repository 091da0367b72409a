"""The README's way from a copy of Kinetics and a checkpoint to a report, command by command, as a newcomer types it."""

import importlib
import json
import re
import shlex
from pathlib import Path

import torch

from test.checkpoint_layouts import layout_state
from test.helpers import ROOT
from test.videos import write_video
from x3d.config.loading import load_cfg
from x3d.dataset.class_names import kinetics400_names

README = (ROOT / "README.md").read_text()
SECTION = README[README.index("## I have videos and a checkpoint") : README.index("## Results\n")]
VIDEOS = {"-_a1b2c3d4e": "riding a bike", "0wR5jVB-WPk": "abseiling", "zzzzzzzzzzz": "playing squash or racquetball"}
REPLACED = "zzzzzzzzzzz"


def commands() -> list[list[str]]:
    """Read the commands of the section, from the export to the report."""
    blocks = re.findall(r"```bash\n(.*?)```", SECTION, flags=re.DOTALL)
    return [shlex.split(line)[1:] for line in "".join(blocks).splitlines()]


def write_copy(folder: Path) -> None:
    """Write CVDF's layout: a flat folder, the official csv, and a folder of replacements."""
    for identity in VIDEOS:
        write_video(folder / "val" / f"{identity}_000010_000020.mp4", 90, width=192, height=128)
    (folder / "val" / f"{REPLACED}_000010_000020.mp4").write_bytes(b"")
    name = f"{REPLACED}_000010_000020.mp4"
    write_video(folder / "replacement_for_corrupted_k400" / name, 90, width=192, height=128)
    rows = [f'"{label}",{identity},10,20,validate' for identity, label in VIDEOS.items()]
    (folder / "val.csv").write_text("\n".join(["label,youtube_id,time_start,time_end,split", *rows]) + "\n")


def test_the_readmes_commands_lead_from_cvdfs_copy_and_pytorchvideos_checkpoint_to_a_report(
    tmp_path, monkeypatch, capsys
):
    write_copy(tmp_path / "Kinetics-400")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    [yaml] = re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL)
    (tmp_path / "kinetics.yaml").write_text(yaml)
    state = layout_state(load_cfg(str(ROOT / "configs/X3D_S.yaml")), "pytorchvideo")
    torch.save({"model_state": state}, tmp_path / "x3d_s.pyth")
    monkeypatch.chdir(tmp_path)
    found = commands()
    assert [name for name, *_ in found] == ["x3d_pth2onnx.py", "x3d_list.py", "x3d_evaluate.py", "x3d_report.py"]
    for name, *arguments in found:
        assert importlib.import_module(name.removesuffix(".py")).main(arguments) == 0, name
    names = kinetics400_names()
    labels = [int(row.rpartition(" ")[2]) for row in Path("Kinetics-400/test.csv").read_text().splitlines()]
    assert sorted(names[label] for label in labels) == sorted(VIDEOS.values())
    content = json.loads(Path("report/report.json").read_text())
    assert (content["run"]["num_scored"], content["run"]["num_failed"], content["run"]["num_views"]) == (3, 0, 30)
    assert capsys.readouterr().out.splitlines()[-1] == "report/index.html"
