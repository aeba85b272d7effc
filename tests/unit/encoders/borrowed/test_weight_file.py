"""One weight file: what it may hold, and what is said of one that cannot be read."""

import pytest
import torch
from safetensors.torch import save_file

from embshift.core.errors import WeightsError
from embshift.encoders.checkpoints import open_weight_file
from tests.loopback_hub import hash_file

OWN = {"block.weight": torch.ones(2, 3), "norm.num_batches_tracked": torch.tensor(7)}


def saved(tmp_path, content, name="weights.pt"):
    file = tmp_path / name
    torch.save(content, file)
    return file


def test_safetensors_are_read_with_their_digest(tmp_path):
    file = tmp_path / "weights.safetensors"
    save_file({f"module.{name}": value for name, value in OWN.items()}, file)
    found = open_weight_file(file, allow_pickle=False)
    assert found.tensors.keys() == OWN.keys()
    assert found.digest == hash_file(file)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_ema", "state_dict_ema"])
def test_weights_are_found_inside_a_training_checkpoint(tmp_path, key):
    file = saved(tmp_path, {"epoch": 3, key: OWN, "optimizer": {"state": {}}})
    found = open_weight_file(file, allow_pickle=True).tensors
    assert torch.equal(found["block.weight"], OWN["block.weight"])


def test_averaged_weights_come_first(tmp_path):
    averaged = {"block.weight": torch.zeros(2, 3)}
    file = saved(tmp_path, {"state_dict": OWN, "state_dict_ema": averaged})
    assert open_weight_file(file, allow_pickle=True).tensors["block.weight"].sum() == 0


@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "ckpt"])
def test_a_pickle_needs_permission(tmp_path, suffix):
    file = saved(tmp_path, OWN, f"weights.{suffix}")
    with pytest.raises(WeightsError, match=r"is a pickle .*--allow-pickle"):
        open_weight_file(file, allow_pickle=False)
    assert open_weight_file(file, allow_pickle=True).tensors.keys() == OWN.keys()


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a checkpoint ran')",)


def test_a_pickle_runs_no_code_even_with_permission(tmp_path):
    with pytest.raises(WeightsError, match="cannot be read as weights only"):
        open_weight_file(saved(tmp_path, {"state_dict": OWN, "args": Harmful()}), allow_pickle=True)


def test_a_script_module_is_refused(tmp_path):
    file = tmp_path / "weights.pt"
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    with pytest.raises(WeightsError, match="cannot be read as weights only"):
        open_weight_file(file, allow_pickle=True)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 100])
@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_a_damaged_file_is_named(tmp_path, content, name):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        open_weight_file(file, allow_pickle=True)


def test_what_is_no_weights_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"does not hold named tensors; expected .*'state_dict'"):
        open_weight_file(saved(tmp_path, {"epoch": 3}), allow_pickle=True)
    whole = {"block.weight": torch.ones(2, 3, dtype=torch.int8)}
    with pytest.raises(WeightsError, match=r"block\.weight \(int8\)"):
        open_weight_file(saved(tmp_path, whole), allow_pickle=True)
