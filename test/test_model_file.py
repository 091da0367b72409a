"""Reading a model: external data, the digest of all its files, and what files that are no model are called."""

import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from test.helpers import ROOT
from x3d.errors import EngineError
from x3d.network.engine import open_engine
from x3d.network.model_file import ModelFile, read_model

VIEW = (3, 4, 40, 40)


def scores(model: ModelFile, engine: str) -> list[list[float]]:
    batch = np.random.RandomState(0).standard_normal((2, *VIEW)).astype(np.float32)
    found: list[list[float]] = open_engine(model, engine, num_threads=1).infer(batch).tolist()
    return found


@pytest.fixture
def external(small_onnx: Path, tmp_path: Path) -> Path:
    """The small model with its weights in a file of their own."""
    path = tmp_path / "external.onnx"
    (tmp_path / "weights").mkdir()
    onnx.save(onnx.load(small_onnx), path, save_as_external_data=True, location="weights/all", size_threshold=0)
    return path


@pytest.fixture
def foreign(external: Path) -> Path:
    """The same without the metadata that x3d_pth2onnx.py writes."""
    return edit(external, lambda model: model.ClearField("metadata_props"))


def edit(path: Path, change) -> Path:
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_external_data_is_part_of_the_model(engine, external, small_onnx, monkeypatch):
    model = read_model(str(external))
    assert model.content == small_onnx.read_bytes(), "so its own digest is checked too"
    expected = scores(read_model(str(small_onnx)), engine)
    (external.parent / "weights" / "all").unlink()
    assert scores(model, engine) == expected, "the engine opens the bytes that were read"


def test_every_file_and_name_changes_the_digest(foreign, tmp_path):
    weights = tmp_path / "weights" / "all"
    digests = [read_model(str(foreign)).digest]
    content = weights.read_bytes()
    for position in (0, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[position] ^= 1
        weights.write_bytes(damaged)
        digests.append(read_model(str(foreign)).digest)
    weights.write_bytes(content)
    edit(foreign, lambda model: setattr(model, "doc_string", "x"))
    digests.append(read_model(str(foreign)).digest)
    assert len(set(digests)) == 5
    moved = shutil.copytree(tmp_path, tmp_path / "moved") / foreign.name
    assert read_model(str(moved)).digest == digests[-1], "folder and name of the .onnx do not count"


@pytest.mark.parametrize("name", ["model", "weights"])
def test_external_data_of_any_name_leaves_the_graph_in_the_digest(name, small_onnx, tmp_path):
    path = tmp_path / "x.onnx"
    onnx.save(onnx.load(small_onnx), path, save_as_external_data=True, location=name, size_threshold=0)
    before = read_model(str(edit(path, lambda model: model.ClearField("metadata_props")))).digest
    edit(path, lambda model: setattr(model, "doc_string", "another"))
    assert read_model(str(path)).digest != before


def set_entry(key: str, value: str):
    def change(model: onnx.ModelProto) -> None:
        for entry in model.graph.initializer[0].external_data:
            if entry.key == key:
                entry.value = value

    return change


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("location", "/etc/hostname", r"external data outside its folder \('/etc/hostname'\)"),
        ("location", "../x", r"external data outside its folder \('\.\./x'\)"),
        ("location", "weights/../../x", "external data outside its folder"),
        ("location", "", "external data outside its folder"),
        (
            "location",
            "other",
            "other, external data of model .*, does not exist; copy it beside the .onnx",
        ),
        ("location", "a\n[ERROR] b", r"a\\n\[ERROR\] b, external data of model"),
        ("location", "weights", "is a folder"),
        ("location", "a\0b", "cannot be read: no name that a file can have"),
        ("offset", "99999999", r"needs bytes that weights/all, \d+ bytes long, does not have"),
        ("offset", "-1", "needs bytes that weights/all"),
        ("length", "99999999", "needs bytes that weights/all"),
        ("length", "many", "needs bytes that weights/all"),
    ],
)
def test_external_data_that_cannot_be_read_is_rejected(key, value, advice, foreign, tmp_path):
    (tmp_path / "x").write_bytes(bytes(1 << 20))
    edit(foreign, set_entry(key, value))
    with pytest.raises(EngineError, match=advice):
        read_model(str(foreign))


def test_external_data_within_a_subgraph_is_read(tmp_path):
    tensor = onnx.numpy_helper.from_array(np.arange(3, dtype=np.float32), "c")
    onnx.external_data_helper.set_external_data(tensor, "part", 0, 12)
    tensor.ClearField("raw_data")
    port, dtype = onnx.helper.make_tensor_value_info, onnx.TensorProto
    identity = onnx.helper.make_node("Identity", ["c"], ["o"])
    branch = onnx.helper.make_graph([identity], "branch", [], [port("o", dtype.FLOAT, [3])], [tensor])
    node = onnx.helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    graph = onnx.helper.make_graph([node], "g", [port("x", dtype.BOOL, [])], [port("y", dtype.FLOAT, [3])])
    (tmp_path / "x.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    (tmp_path / "part").write_bytes(np.arange(3, dtype=np.float32).tobytes())
    model = onnx.load_model_from_string(read_model(str(tmp_path / "x.onnx")).content)
    inner = model.graph.node[0].attribute[0].g.initializer[0]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(inner), [0, 1, 2])


@pytest.fixture(scope="module")
def openvino_files(small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import openvino

    path = tmp_path_factory.mktemp("ir") / "x.xml"
    openvino.save_model(openvino.Core().read_model(small_onnx), path, compress_to_fp16=False)
    return path


def test_an_xml_is_opened_with_its_weights(openvino_files, small_onnx):
    assert scores(read_model(str(openvino_files)), "auto") == scores(read_model(str(small_onnx)), "openvino")


@pytest.mark.parametrize("changed", ["x.xml", "x.bin"])
def test_the_digest_of_an_xml_is_of_its_weights_too(changed, openvino_files, tmp_path):
    folder = shutil.copytree(openvino_files.parent, tmp_path / "ir")
    before = read_model(str(folder / "x.xml")).digest
    content = (folder / changed).read_bytes()
    (folder / changed).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert read_model(str(folder / "x.xml")).digest != before


def test_an_xml_needs_its_weights(openvino_files, tmp_path):
    shutil.copy(openvino_files, tmp_path)
    with pytest.raises(EngineError, match=r"x\.bin, the weights of model .*x\.xml, does not exist; copy it beside"):
        read_model(str(tmp_path / "x.xml"))
    (tmp_path / "x.bin").write_bytes(b"short")
    with pytest.raises(EngineError, match=r"engine openvino cannot load .*x\.xml .*: Incorrect weights in bin file!$"):
        open_engine(read_model(str(tmp_path / "x.xml")))
    (tmp_path / "x.xml").write_bytes(openvino_files.read_bytes()[:2000])
    with pytest.raises(EngineError, match=r"engine openvino cannot load .*x\.xml .*: Start-end tags mismatch [^\n]*$"):
        open_engine(read_model(str(tmp_path / "x.xml")))


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("x.onnx", b"", "this is an empty file"),
        ("x.onnx", b"version https://git-lfs.github.com/spec/v1\n", "this is a git-LFS pointer; run `git lfs pull`"),
        ("x.onnx", b"<!DOCTYPE html><html>", "this is an HTML or XML page"),
        ("x.onnx", b"not a model\n", "a file that x3d_pth2onnx.py writes is expected, this is text"),
        ("x.xml", b"<?xml version='1.0'?><page/>", "a file that OpenVINO writes is expected, this is an HTML or XML"),
        ("x.xml", b"\0\1\2", "a file that OpenVINO writes is expected, this is something else"),
        ("x.om", b"<html>", "a file that ATC writes is expected, this is an HTML"),
        ("x.pyth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "is a checkpoint; export it with x3d_pth2onnx.py"),
    ],
)
def test_a_file_that_is_no_model_is_called_what_it_is(name, content, advice, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EngineError, match=f"^model .*{name}.* {advice}"):
        read_model(str(tmp_path / name))


@pytest.mark.parametrize("name", ["x.pyth", "x.onnx", "x.om"])
def test_a_checkpoint_is_recognised_under_any_name(name, tmp_path):
    shutil.copy(ROOT / "demo/x3d_demo.pyth", tmp_path / name)
    with pytest.raises(EngineError, match=f"{name} is a checkpoint; export it with x3d_pth2onnx.py$"):
        read_model(str(tmp_path / name))


def test_what_is_no_regular_file_is_rejected_at_once(tmp_path):
    os.mkfifo(tmp_path / "x.onnx")
    with pytest.raises(EngineError, match=r"x\.onnx cannot be read: not a regular file"):
        read_model(str(tmp_path / "x.onnx"))
    with pytest.raises(EngineError, match="is a folder; give a file"):
        read_model(str(tmp_path))
    with pytest.raises(EngineError, match=r"y\.onnx does not exist; export one with x3d_pth2onnx\.py"):
        read_model(str(tmp_path / "y.onnx"))
    with pytest.raises(EngineError, match=r"y\.om does not exist; convert one with x3d_npu\.py convert"):
        read_model(str(tmp_path / "y.om"))
    with pytest.raises(EngineError, match=r"^no model is given; give the \.onnx that x3d_pth2onnx\.py writes"):
        read_model("")


DAMAGED = r"x\.onnx is damaged or was edited after x3d_pth2onnx\.py wrote it: export it again"


def test_a_flipped_bit_anywhere_in_an_exported_file_is_noticed(small_onnx, tmp_path):
    content = small_onnx.read_bytes()
    draw = random.Random(0)
    last = range(8 * (len(content) - 64), 8 * len(content))
    for bit in [*last, *(draw.randrange(8 * len(content)) for _ in range(300))]:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "x.onnx").write_bytes(damaged)
        with pytest.raises(EngineError, match=DAMAGED):
            read_model(str(tmp_path / "x.onnx"))


@pytest.mark.parametrize("size", [10, 2000, -40, -1])
def test_a_truncated_export_is_noticed(size, small_onnx, tmp_path):
    (tmp_path / "x.onnx").write_bytes(small_onnx.read_bytes()[:size])
    with pytest.raises(EngineError, match=r"x\.onnx is damaged or "):
        open_engine(read_model(str(tmp_path / "x.onnx")))


def test_a_file_without_the_metadata_is_accepted_with_another_digest(small_onnx, tmp_path):
    path = Path(shutil.copy(small_onnx, tmp_path / "x.onnx"))
    edit(path, lambda model: setattr(model, "producer_name", "me"))
    with pytest.raises(EngineError, match=f"{DAMAGED}; from a file edited on purpose remove the metadata properties "):
        read_model(str(path))
    edit(path, lambda model: model.ClearField("metadata_props"))
    assert read_model(str(path)).digest != read_model(str(small_onnx)).digest


def test_a_file_that_is_saved_unchanged_is_intact(small_onnx, tmp_path):
    onnx.save(onnx.load(small_onnx), tmp_path / "x.onnx")
    assert read_model(str(tmp_path / "x.onnx")) == ModelFile(
        str(tmp_path / "x.onnx"), small_onnx.read_bytes(), b"", read_model(str(small_onnx)).digest
    )


def test_a_model_without_external_data_is_read_without_onnx(small_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert read_model(str(small_onnx)).content == small_onnx.read_bytes(), "each worker reads it when it starts"


def test_an_attribute_that_onnx_does_not_know_is_rejected(small_onnx, tmp_path):
    path = Path(shutil.copy(small_onnx, tmp_path / "x.onnx"))
    edit(path, lambda model: model.ClearField("metadata_props"))
    read_model(str(path))
    path.write_bytes(path.read_bytes().replace(b"strides", b"stridas"))
    advice = (
        r"x\.onnx is damaged or not an ONNX model \(Unrecognized attribute: stridas for operator Conv\); export one"
    )
    with pytest.raises(EngineError, match=advice):
        read_model(str(path))
