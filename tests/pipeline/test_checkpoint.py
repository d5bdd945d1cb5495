"""Model files: what is saved comes back to the byte, and nothing else is accepted."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from unmix.checks import InputError
from unmix.methods import METHODS
from unmix.methods.cresdae import CResDAE
from unmix.pipeline.checkpoint import FORMAT, load_model, model_info, save_model

QUICK = {
    "cresdae": {
        "preset": "paper",
        "epochs": 2,
        "batch_size": 64,
        "pretrain_epochs": 1,
        "device": "cpu",
    },
    "nae": {"epochs": 2, "batch_size": 64, "pretrain_steps": 5, "device": "cpu"},
    "conv-ae": {
        "epochs": 2,
        "n_patches": 4,
        "batch_size": 2,
        "patch_size": 8,
        "window": 3,
        "device": "cpu",
    },
    "linear-ae": {"epochs": 2, "batch_size": 32, "n_spectra": 64, "device": "cpu"},
}

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    E = rng.random((3, 12))
    return (rng.dirichlet(np.ones(3), 300) @ E + 0.001 * rng.random((300, 12))).astype(np.float32)


@pytest.fixture(scope="module")
def saved(X, tmp_path_factory):
    torch.set_num_threads(1)
    model = CResDAE(3, **QUICK["cresdae"]).fit(X)
    return save_model(model, tmp_path_factory.mktemp("models") / "model", wavelength=range(12))


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of a good model, to be damaged."""
    return shutil.copytree(saved, tmp_path / "copy")


def edit_card(folder, **changes):
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | changes))


def edit_arrays(folder, change):
    arrays = load_file(folder / "model.safetensors")
    change(arrays)
    save_file(arrays, folder / "model.safetensors")


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_method_comes_back_to_the_byte(name, dtype, X, tmp_path):
    pixels = X.astype(dtype)
    model = METHODS[name](n_endmembers=3, **QUICK.get(name, {})).fit(pixels)
    again = load_model(save_model(model, tmp_path / "model"))
    assert type(again) is type(model)
    assert again.transform(pixels).tobytes() == model.transform(pixels).tobytes()
    A = model.transform(pixels)
    assert again.inverse_transform(A).tobytes() == model.inverse_transform(A).tobytes()
    learned = {k: v for k, v in vars(model).items() if k.endswith("_") and k != "network_"}
    for key, value in learned.items():
        np.testing.assert_equal(getattr(again, key), value, err_msg=key)
    assert {k: v for k, v in again.get_params().items()} == model.get_params()


@pytest.mark.parametrize("options", [{"attention": "cbam"}, {"scale": "l2"}, {"scale": "shade"}])
def test_settings_and_buffers_come_back(options, X, tmp_path):
    model = CResDAE(3, **QUICK["cresdae"], **options).fit(X)
    again = load_model(save_model(model, tmp_path / "model"))
    assert again.transform(X).tobytes() == model.transform(X).tobytes()
    state = model.network_.state_dict()
    for name, value in again.network_.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert again.finetune(X, 1).n_iter_ == 3


def test_given_endmembers_come_back_as_keyword(X, tmp_path):
    model = METHODS["vca-fcls"](endmembers=X[:3].tolist()).fit(X)
    again = load_model(save_model(model, tmp_path / "model"))
    np.testing.assert_array_equal(again.endmembers, np.asarray(model.endmembers))
    assert again.fit(X).transform(X).tobytes() == model.transform(X).tobytes()


def test_card_says_what_the_model_is(saved):
    card = model_info(saved)
    assert card["format"] == FORMAT and card["method"] == "cresdae" and card["scale"] == "none"
    assert card["wavelength_nm"] == list(range(12)) and card["names"] is None
    assert card["parameters"]["n_endmembers"] == 3 and card["parameters"]["progress"] is None
    assert card["torch_version"].startswith("2.")
    assert {p.name for p in saved.iterdir()} == {"model.json", "model.safetensors"}


def test_the_same_model_gives_the_same_files(X, tmp_path):
    one, two = (save_model(CResDAE(3, **QUICK["cresdae"]).fit(X), tmp_path / name) for name in "ab")
    for name in ("model.json", "model.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_nothing_is_overwritten_unless_told(X, folder):
    model = METHODS["spa-fcls"](3).fit(X)
    with pytest.raises(InputError, match="exists; say overwrite"):
        save_model(model, folder)
    assert model_info(folder)["method"] == "cresdae"
    save_model(model, folder, overwrite=True)
    assert model_info(folder)["method"] == "spa-fcls"
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_other_folders_are_never_touched(X, tmp_path):
    model = METHODS["spa-fcls"](3).fit(X)
    (tmp_path / "photo.jpg").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(InputError, match="is no model"):
            save_model(model, place, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "photo.jpg"]


def test_a_failed_write_leaves_nothing(X, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        save_model(METHODS["spa-fcls"](3).fit(X), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_only_fitted_methods_of_ours_are_saved(X, tmp_path):
    with pytest.raises(InputError, match="not fitted"):
        save_model(CResDAE(3), tmp_path / "m")
    with pytest.raises(InputError, match=r"dict is not one of unmix\.METHODS"):
        save_model({}, tmp_path / "m")
    model = METHODS["spa-fcls"](3).fit(X)
    with pytest.raises(InputError, match=r"^wavelength: got shape \(3,\); give 12"):
        save_model(model, tmp_path / "m", wavelength=[1, 2, 3])
    model.extra_ = object()
    with pytest.raises(InputError, match=r"^estimator: cannot be put in a model file"):
        save_model(model, tmp_path / "m")


CARDS = {
    "newer": ({"format": FORMAT + 1}, "newer than this unmix reads"),
    "no format": ({"format": "1"}, "no format number"),
    "unknown method": ({"method": "os.system"}, "method 'os.system' is unknown"),
    "method no text": ({"method": ["x"]}, "no usable 'method'"),
    "parameter": ({"parameters": {"n_endmembers": 3, "shell": 1}}, "no parameter 'shell'"),
    "attribute": ({"attributes": {"transform": 1}}, "'transform' is no learned attribute"),
    "private": ({"attributes": {"__class__": 1, "_x_": 1}}, "is no learned attribute"),
    "no attributes": ({"attributes": {}}, "cannot be put together"),
    "text for number": ({"attributes": {"n_features_in_": 12, "unit_": "1"}}, "put together"),
    "bands": ({"attributes": {"n_features_in_": 10**12, "unit_": 1.0}}, "contradict each other"),
    "no arrays": ({"arrays": {}}, "is not in the card"),
    "other method": ({"method": "vca-fcls"}, "vca-fcls has no parameter"),
}


@pytest.mark.parametrize("case", CARDS)
def test_wrong_cards_are_refused(folder, case):
    changes, message = CARDS[case]
    edit_card(folder, **changes)
    with pytest.raises(InputError, match=message) as raised:
        load_model(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "[" * 100_000, "nul", '{"format": 1' + "0" * 5000 + "}", "\xff\xfe"]
)
def test_bombs_and_damage_in_the_card_are_refused(folder, text):
    (folder / "model.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"^model: "):
        load_model(folder)


def test_a_huge_card_is_not_read(folder):
    with (folder / "model.json").open("r+b") as file:
        file.truncate(2**34)  # sparse
    with pytest.raises(InputError, match="larger than"):
        load_model(folder)


def _drop(name):
    return lambda arrays: arrays.pop(name)


def _put(name, value):
    return lambda arrays: arrays.update({name: np.asarray(value)})


ARRAYS = {
    "missing tensor": (_drop("network.encoder.0.weight"), "Missing key"),
    "extra tensor": (_put("network.extra", [1.0]), "Unexpected key"),
    "wrong shape": (_put("network.encoder.0.bias", np.ones(127, "f4")), "size mismatch"),
    "missing array": (_drop("learned.start_"), "array 'start_' is missing"),
    "extra array": (_put("learned.more_", [1.0]), "array 'more_' is not in the card"),
    "reshaped": (_put("learned.start_", np.ones((3, 11), "f4")), "the card says"),
    "retyped": (_put("learned.start_", np.ones((3, 12))), "the card says"),
    "stray": (_put("else", [1.0]), "array 'else' does not belong"),
    "NaN": (_put("network.encoder.0.bias", np.full(128, np.nan, "f4")), "NaN or inf"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_wrong_arrays_are_refused(folder, case):
    change, message = ARRAYS[case]
    edit_arrays(folder, change)
    with pytest.raises(InputError, match=message) as raised:
        load_model(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_truncated_arrays_are_refused(folder, keep):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"model\.safetensors cannot be read"):
        load_model(folder)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(InputError, match=r"^model: no model\.json in"):
        load_model(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors cannot be read"):
        load_model(folder)
