"""Which ONNX models are refused, and what the message names."""

import hashlib
import os
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from embshift.core.errors import EncoderError, MissingExtraError, UsageError, WeightsError
from embshift.core.types import Capture
from embshift.encoders.inside.network import open_inside
from embshift.encoders.open import find_entry, find_trust, open_encoder
from embshift.measurement.session.encoder_files import encoder_files, same_files
from tests.unit.encoders.forms.onnx_models import CLIP, make_model, write_model

VIEWS = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def refuse(path, *named, error=EncoderError, **options):
    with pytest.raises(error) as raised:
        open_encoder(path, device="cpu", **options)
    assert not [word for word in named if word not in str(raised.value)], str(raised.value)
    return str(raised.value)


def add_node(model, node, *, domain=None):
    model.graph.node.append(node)
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


# Its name -----------------------------------------------------------------------------------------------


def test_a_file_is_known_by_its_ending(tmp_path):
    for name in ("model.onnx", "MODEL.ONNX"):
        assert find_entry(write_model(tmp_path, name=name)).name == "onnx"
    assert find_trust("model.onnx") == ""
    with pytest.raises(UsageError, match=r"write it as model\.onnx"):
        find_entry("onnx")


@pytest.mark.parametrize("source", ["https://host/v1/model.onnx", "open_clip:x.onnx", "timm:x.onnx"])
def test_what_other_forms_write_is_theirs(source):
    from embshift.encoders import ENCODERS

    assert not ENCODERS["onnx"].matches(source)


def test_a_folder_with_such_a_name_holds_a_checkpoint(tmp_path):
    (tmp_path / "model.onnx").mkdir()
    refuse(str(tmp_path / "model.onnx"), "config.json")


# Its file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"not a model", VIEWS.tobytes(), b"\x08\x08", make_model().SerializeToString()[:-500]]
)
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    refuse(str(tmp_path / "model.onnx"), "model.onnx", "export it again")


def test_a_missing_file_and_a_pipe_are_named(tmp_path):
    refuse(str(tmp_path / "none.onnx"), "there is no file", "none.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    refuse(str(tmp_path / "pipe.onnx"), "there is no file", "pipe.onnx")


def test_a_pointer_is_named(tmp_path):
    (tmp_path / "model.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refuse(str(tmp_path / "model.onnx"), "git lfs pull", error=WeightsError)
    path = write_model(tmp_path, external="model.data", settings=CLIP)
    (tmp_path / "model.data").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refuse(path, "git lfs pull", error=WeightsError)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(tmp_path, monkeypatch, package):
    path = write_model(tmp_path, settings=CLIP)
    monkeypatch.setitem(sys.modules, package, None)
    refuse(path, f"{package} is not installed", "pip install 'embshift[onnx]'", error=MissingExtraError)


@pytest.mark.parametrize("option", [{"precision": "bfloat16"}, {"runtime": "openvino"}])
def test_another_precision_or_runtime_is_refused(tmp_path, option):
    refuse(write_model(tmp_path, settings=CLIP), "leave both out", **option)


def test_a_graph_that_onnxruntime_does_not_open_is_refused(tmp_path):
    unknown = add_node(make_model(), helper.make_node("Twist", ["flat"], ["twisted"]))
    refuse(write_model(tmp_path, model=unknown, settings=CLIP), "onnxruntime cannot open", "Twist")


# What a stranger's model must not do --------------------------------------------------------------------


def move_weights(folder, location):
    """Write a model whose weights are said to be at a location, and a file of weights beside it."""
    path = write_model(folder, external="model.data", settings=CLIP)
    model = onnx.load_model(path, load_external_data=False)
    for tensor in model.graph.initializer:
        next(each for each in tensor.external_data if each.key == "location").value = location
    onnx.save_model(model, path)
    return path


@pytest.mark.parametrize(
    "location",
    [
        "",
        "../secret.data",
        "a/../../secret.data",
        "/etc/passwd",
        "C:secret.data",
        "C:\\secret.data",
        "..\\secret.data",
        "\\\\host\\share",
        "*/_ORT_MEM_ADDR_/*",  # a place in memory, to onnxruntime
    ],
)
def test_weights_outside_the_folder_are_refused(tmp_path, location):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.data").write_bytes(bytes(10**5))
    refuse(move_weights(folder, location), "inside the model's own folder")


def test_weights_behind_a_link_are_refused(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.data").write_bytes(bytes(10**5))
    path = move_weights(folder, "linked.data")
    (folder / "linked.data").symlink_to(tmp_path / "secret.data")
    refuse(path, "linked.data", "no regular file of the model's own folder")
    (folder / "sub").symlink_to(tmp_path)
    refuse(move_weights(folder, "sub/secret.data"), "no regular file of the model's own folder")


def test_weights_in_a_pipe_or_nowhere_are_refused(tmp_path):
    refuse(move_weights(tmp_path, "none.data"), "is not there")
    os.mkfifo(tmp_path / "pipe.data")
    refuse(move_weights(tmp_path, "pipe.data"), "no regular file")


def test_a_cache_of_links_opens(tmp_path):
    """The hub's cache keeps files by their digest in one folder, and links to them in another."""
    for name in ("blobs", "snapshot"):
        (tmp_path / name).mkdir()
    write_model(tmp_path / "snapshot", external="model.data", settings=CLIP)
    for name in ("model.onnx", "model.data"):
        file = tmp_path / "snapshot" / name
        file.rename(tmp_path / "blobs" / f"of-{name}")
        file.symlink_to(tmp_path / "blobs" / f"of-{name}")
    path = tmp_path / "snapshot" / "model.onnx"
    assert open_encoder(str(path), device="cpu").spec.dim == 12


def test_weights_in_subgraphs_are_seen(tmp_path):
    hidden = helper.make_tensor("hidden", TensorProto.FLOAT, [1], [1.0])
    hidden.ClearField("float_data")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="/etc/passwd")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["one"], value=hidden)],
        "branch",
        [],
        [helper.make_tensor_value_info("one", TensorProto.FLOAT, [1])],
    )
    model = add_node(
        make_model(), helper.make_node("If", ["flat"], ["chosen"], then_branch=branch, else_branch=branch)
    )
    refuse(write_model(tmp_path, model=model, settings=CLIP), "/etc/passwd", "own folder")


def test_operators_of_other_domains_are_refused(tmp_path):
    node = helper.make_node("Run", ["flat"], ["ran"], domain="evil.ops")
    refuse(write_model(tmp_path, model=add_node(make_model(), node, domain="evil.ops")), "evil.ops.Run")


def test_functions_that_the_model_defines_itself_are_not_refused(tmp_path):
    model = make_model(outputs=("before",))
    body = [helper.make_node("Mul", ["x", "x"], ["y"])]
    ours = helper.make_function("own.ops", "Square", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    model.functions.append(ours)
    add_node(model, helper.make_node("Square", ["before"], ["embedding"], domain="own.ops"), domain="own.ops")
    model.graph.output[0].name = "embedding"
    encoder = open_encoder(write_model(tmp_path, model=model, settings=CLIP), device="cpu")
    assert (encoder.encode(VIEWS, capture=Capture.EMBEDDING).embedding >= 0).all()


def test_a_graph_that_draws_random_numbers_is_refused(tmp_path):
    node = helper.make_node("RandomNormalLike", ["flat"], ["noise"])
    refuse(write_model(tmp_path, model=add_node(make_model(), node)), "RandomNormalLike", "repeat")


# Its device ---------------------------------------------------------------------------------------------


@pytest.fixture
def gpu(monkeypatch):
    """Torch finds a GPU; onnxruntime is the one that is installed, for the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def built_for_cuda(monkeypatch):
    """Onnxruntime lists CUDA, and runs on the CPU in silence, as it does without CUDA's libraries."""
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )


@pytest.mark.usefixtures("gpu")
def test_the_device_is_what_onnxruntime_offers(tmp_path):
    path = write_model(tmp_path, settings=CLIP)
    assert open_encoder(path, device="auto").spec.device == "cpu"
    for device in ("cuda", "cuda:1", "mps"):
        with pytest.raises(EncoderError, match=f"cannot run on {device}; use --device cpu"):
            open_encoder(path, device=device)


@pytest.mark.usefixtures("gpu", "built_for_cuda")
def test_cuda_that_does_not_start_is_the_cpu_or_refused(tmp_path):
    path = write_model(tmp_path, settings=CLIP)
    assert open_encoder(path, device="auto").spec.device == "cpu"
    with pytest.raises(EncoderError, match=r"cannot start on cuda:0: .*; install these, or use --device cpu"):
        open_encoder(path, device="cuda:0")


# What its graph leaves open -----------------------------------------------------------------------------


def test_a_graph_of_floats_needs_mean_and_deviation(tmp_path):
    text = refuse(write_model(tmp_path), "mean = [", "deviation = [", "model.toml")
    assert "images: tensor(float), n × 3 × 32 × 32" in text
    assert "image_embeds: tensor(float), n × 12" in text


def test_the_lines_that_are_shown_open_it(tmp_path):
    text = refuse(write_model(tmp_path, shape=("n", "c", "h", "w")), 'layout = "NCHW"')
    lines = [line for line in text.splitlines() if " = " in line]
    (tmp_path / "model.toml").write_text("\n".join(lines))
    assert open_encoder(str(tmp_path / "model.onnx"), device="cpu").spec.preprocessing["layout"] == "NCHW"


def test_a_layout_may_be_named_by_its_axes(tmp_path):
    names = ("batch_size", "num_channels", "height", "width")
    encoder = open_encoder(write_model(tmp_path, shape=names, settings=CLIP), device="cpu")
    assert encoder.spec.preprocessing["layout"] == "NCHW"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"outputs": ("one", "two")}, "2 of its outputs"),
        ({"outputs": ("image_embeds", "pooler_output")}, "2 of its outputs"),
        ({"settings": {**CLIP, "output": "three"}}, "output is stated as 'three'"),
        ({"settings": {**CLIP, "input": "pixels"}}, "input is stated as 'pixels'"),
        ({"settings": {**CLIP, "attention": "maps"}}, "attention is stated as 'maps'"),
        ({"settings": {**CLIP, "layout": "NHWC"}}, "32 channels"),
        ({"kind": "uint8", "settings": CLIP}, "do not apply"),
        ({"settings": {**CLIP, "crop": 16}}, "crop = [16, 16]"),
        ({"settings": {**CLIP, "resize": 16}}, "crops 32 × 32 pixels from 16 × 16"),
        ({"settings": {**CLIP, "attention": "image_embeds"}}, "negative"),
    ],
)
def test_what_is_unclear_or_wrong_is_named(tmp_path, options, named):
    options = {"settings": CLIP, "dim": 12, **options}
    if "negative" in named:  # twelve numbers fill a stated grid
        options["settings"] = {**options["settings"], "grid": [3, 4], "output": "image_embeds"}
    refuse(write_model(tmp_path, **options), named)


def test_one_of_two_outputs_is_the_embedding_by_its_name(tmp_path):
    path = write_model(tmp_path, outputs=("image_embeds", "text_embeds"), settings=CLIP)
    assert open_encoder(path, device="cpu").spec.embedding == "output 'image_embeds' of the graph"


def test_a_graph_that_needs_more_than_images_is_refused(tmp_path):
    model = make_model()
    model.graph.input.append(helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", 77]))
    refuse(write_model(tmp_path, model=model, settings=CLIP), "needs more than the image: input_ids")


def test_an_output_that_is_no_embedding_is_refused(tmp_path):
    model = make_model()
    model.graph.output.append(helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["n", 16, 4, 4]))
    path = write_model(tmp_path, model=model, settings={**CLIP, "output": "tokens"})
    refuse(path, "'tokens'", "1 × 16 × 4 × 4", "expected 1 × dim")
    (tmp_path / "model.toml").unlink()
    settings = {**CLIP, "attention": "tokens"}
    refuse(write_model(tmp_path, model=model, settings=settings), "n × heads × patches")


def test_a_grid_that_the_map_does_not_fill_is_refused(tmp_path):
    settings = {**CLIP, "attention": "last_attention"}
    refuse(write_model(tmp_path, attention=True, shape=("n", 3, 16, 32), settings=settings), "square grid")
    settings = {**settings, "grid": [3, 5]}
    refuse(write_model(tmp_path, attention=True, settings=settings), "grid of 3 × 5")


def test_a_size_that_the_graph_cannot_take_is_named(tmp_path):
    encoder = open_encoder(write_model(tmp_path, shape=("n", 3, "h", "w"), settings=CLIP), device="cpu")
    with pytest.raises(EncoderError, match=r"failed on an input of 2 × 3 × 4 × 4: .*resize = "):
        encoder.encode(VIEWS[:, :4, :4], capture=Capture.EMBEDDING)


# Its batches --------------------------------------------------------------------------------------------


def add_output(model, *nodes, kind=TensorProto.FLOAT, shape=("n", 12), **constants):
    """Make what the last of some nodes returns the only output of a model."""
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(np.array(v), k) for k, v in constants.items())
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(nodes[-1].output[0], kind, shape))
    return model


def scale_by_batch(shape):
    """Divide embeddings by the largest value of the whole batch, as dynamic quantisation does."""
    largest = helper.make_node("ReduceMax", ["image_embeds"], ["largest"], keepdims=0)
    divided = helper.make_node("Div", ["image_embeds", "largest"], ["scaled"])
    return add_output(make_model(shape=shape), largest, divided)


def fix_batch():
    """Fix a batch of one inside a graph whose input states none."""
    fixed = helper.make_node("Reshape", ["image_embeds", "one"], ["fixed"])
    return add_output(make_model(), fixed, one=np.array([1, 12], np.int64))


@pytest.mark.parametrize(
    "make",
    [lambda: scale_by_batch(("n", 3, 32, 32)), lambda: scale_by_batch((4, 3, 32, 32)), fix_batch],
    ids=["scaled", "four at once", "one inside"],
)
def test_a_graph_whose_rows_depend_on_the_batch_takes_one_image_at_a_time(tmp_path, make):
    encoder = open_encoder(write_model(tmp_path, model=make(), settings=CLIP), device="cpu")
    together = encoder.encode(VIEWS, capture=Capture.EMBEDDING).embedding
    alone = [encoder.encode(view[None], capture=Capture.EMBEDDING).embedding for view in VIEWS]
    assert torch.equal(together, torch.cat(alone))
    assert encoder.spec.preprocessing["images_at_once"] == 1


def test_other_graphs_take_whole_batches(tmp_path):
    for shape in (("n", 3, 32, 32), (2, 3, 32, 32)):
        stated = open_encoder(write_model(tmp_path, shape=shape, settings=CLIP), device="cpu").spec
        assert "images_at_once" not in stated.preprocessing


def test_an_embedding_that_differs_each_time_is_refused(tmp_path):
    drop = helper.make_node("Dropout", ["image_embeds", "ratio", "training"], ["dropped"])
    model = add_output(make_model(), drop, ratio=np.float32(0.5), training=True)
    refuse(
        write_model(tmp_path, model=model, settings=CLIP), "another embedding each time", "evaluation mode"
    )


# Its outputs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 12), (12, 1), (12, 1, 1), (1, 12, 1)])
def test_one_vector_an_image_is_an_embedding_of_any_rank(tmp_path, shape):
    node = helper.make_node("Reshape", ["image_embeds", "wanted"], ["shaped"])
    model = add_output(make_model(), node, shape=("n", *shape), wanted=np.array([0, *shape], np.int64))
    path = write_model(tmp_path, model=model, settings={**CLIP, "output": "shaped"})
    found = open_encoder(path, device="cpu").encode(VIEWS, capture=Capture.EMBEDDING).embedding
    plain = open_encoder(write_model(tmp_path, settings=CLIP), device="cpu")
    assert torch.equal(found, plain.encode(VIEWS, capture=Capture.EMBEDDING).embedding)


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE", "INT8", "INT64"])
def test_numbers_of_every_kind_are_an_embedding(tmp_path, kind):
    nodes = (
        helper.make_node("Mul", ["image_embeds", "ten"], ["times"]),
        helper.make_node("Cast", ["times"], ["cast"], to=getattr(TensorProto, kind)),
    )
    model = add_output(make_model(), *nodes, kind=getattr(TensorProto, kind), ten=np.float32(10))
    path = write_model(tmp_path, model=model, settings={**CLIP, "output": "cast"})
    found = open_encoder(path, device="cpu").encode(VIEWS, capture=Capture.EMBEDDING).embedding
    plain = open_encoder(write_model(tmp_path, settings={**CLIP, "output": "image_embeds"}), device="cpu")
    exact = 10 * plain.encode(VIEWS, capture=Capture.EMBEDDING).embedding
    assert torch.allclose(found, exact.trunc() if "INT" in kind else exact, rtol=2e-3)


@pytest.mark.parametrize("field", ["output", "attention"])
@pytest.mark.parametrize("kind", ["STRING", "BFLOAT16", "BOOL", "sequence"])
def test_an_output_without_numbers_is_named(tmp_path, kind, field):
    if kind == "sequence":
        model = add_output(make_model(), helper.make_node("SequenceConstruct", ["image_embeds"], ["odd"]))
        model.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("odd", TensorProto.FLOAT, None))
    else:
        to = getattr(TensorProto, kind)
        model = add_output(make_model(), helper.make_node("Cast", ["image_embeds"], ["odd"], to=to), kind=to)
    model.graph.output.append(helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, ["n", 12]))
    path = write_model(tmp_path, model=model, settings={**CLIP, field: "odd"})
    text = refuse(path, "output 'odd' is ", "expected a tensor of floats or integers")
    assert 'output = "image_embeds"' in text


def test_values_beyond_float32_are_infinite_without_a_warning(tmp_path):
    nodes = (
        helper.make_node("Cast", ["image_embeds"], ["exact"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["exact", "large"], ["beyond"]),
    )
    model = add_output(make_model(), *nodes, kind=TensorProto.DOUBLE, large=np.float64(1e60))
    encoder = open_encoder(write_model(tmp_path, model=model, settings=CLIP), device="cpu")
    assert encoder.encode(VIEWS, capture=Capture.EMBEDDING).embedding.isinf().all()


# Its TOML -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("mean = [", "cannot be read as TOML"),
        ("mean = " + "[" * 5000, "nested too deeply"),
        ("meen = [0, 0, 0]", "did you mean 'mean'"),
        ("wholly = 1", "known: input, output"),
        ("mean = [0, 0]", "three numbers"),
        ("mean = [nan, 0, 0]", "three numbers"),
        ("mean = true", "three numbers"),
        ("deviation = [0, 1, 1]", "above 0"),
        ("scale = 0", "above 0"),
        ('layout = "HWC"', '"NCHW" or "NHWC"'),
        ("resize = [224]", "[height, width]"),
        ("resize = 0", "[height, width]"),
        ("crop = 1000000", "up to 16384"),
        ('interpolation = "cubic"', "bicubic"),
        ("interpolation = [1]", "bicubic"),
        ("grid = 7", "[rows, columns]"),
        ("output = 3", "the name of an output"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, text, named):
    path = write_model(tmp_path)
    (tmp_path / "model.toml").write_text(text)
    refuse(path, "model.toml", named)


def test_a_toml_that_is_no_file_is_refused(tmp_path):
    path = write_model(tmp_path)
    os.mkfifo(tmp_path / "model.toml")
    refuse(path, "a pipe, not a regular file")


# Its record ---------------------------------------------------------------------------------------------


def test_the_digest_is_that_of_all_files(tmp_path):
    path = write_model(tmp_path, kind="uint8")
    alone = open_encoder(path, device="cpu").spec.digest
    assert alone == hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest()
    (tmp_path / "model.toml").write_text('interpolation = "bilinear"\n')
    assert open_encoder(path, device="cpu").spec.digest != alone
    path = write_model(tmp_path, kind="uint8", external="model.data")
    before = open_encoder(path, device="cpu").spec.digest
    data = bytearray((tmp_path / "model.data").read_bytes())
    data[8] ^= 1
    (tmp_path / "model.data").write_bytes(data)
    assert open_encoder(path, device="cpu").spec.digest != before


def test_its_files_are_known_and_a_change_is_seen(tmp_path):
    path = write_model(tmp_path, external="model.data", settings=CLIP)
    recorded = encoder_files(path)
    assert [os.path.basename(each["path"]) for each in recorded] == ["model.onnx", "model.data", "model.toml"]
    assert same_files(path, recorded)
    os.utime(tmp_path / "model.data", ns=(1, 1))
    assert not same_files(path, recorded)


def test_a_toml_more_or_less_is_another_encoder(tmp_path):
    path = write_model(tmp_path, kind="uint8")
    recorded = encoder_files(path)
    (tmp_path / "model.toml").write_text("")
    assert not same_files(path, recorded)
    recorded = encoder_files(path)
    assert same_files(path, recorded)
    (tmp_path / "model.toml").unlink()
    assert not same_files(path, recorded)


def test_files_of_what_is_no_model_are_not_known(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    assert encoder_files(str(tmp_path / "model.onnx")) is None
    assert encoder_files(str(tmp_path / "none.onnx")) is None


def test_its_network_cannot_be_explained(tmp_path):
    encoder = open_encoder(write_model(tmp_path, settings=CLIP), device="cpu")
    with pytest.raises(EncoderError, match="not open to embshift"):
        open_inside(encoder)
