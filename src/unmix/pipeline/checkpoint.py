"""Model files: a fitted estimator as a folder with model.safetensors and model.json.

`model.json` says what the model is: format, method, the constructor's keywords, learned scalars,
wavelengths [nm], versions. `model.safetensors` holds the arrays: `learned.<attribute>`,
`parameter.<keyword>` and `network.<state>`. Nothing in either is executed when it is loaded.

An estimator with a `network_` has `_initial_network()`, which builds one of the right shape from
its other learned attributes.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

import unmix
from unmix.checks import InputError
from unmix.pipeline.provenance import git_commit, version_of

__all__ = ["FILES", "check_free", "load_model", "model_info", "save_model"]

FORMAT = 1
FILES = _CARD, _ARRAYS = "model.json", "model.safetensors"
_LARGEST_CARD = 16 * 2**20  # bytes
_KEYS: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "method": str,
    "parameters": dict,
    "attributes": dict,
    "arrays": dict,
    "wavelength_nm": (list, type(None)),
    "names": (list, type(None)),
    "scene": (dict, type(None)),
    "scale": (str, type(None)),
    "unmix_version": str,
    "git_commit": (str, type(None)),
    "torch_version": str,
}

Arrays = dict[str, NDArray[Any]]


def save_model(
    estimator: Any,
    folder: str | Path,
    *,
    wavelength: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    scene: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a fitted estimator; `load_model` gives one back that transforms to the same bytes.

    The folder appears complete or not at all: it is written beside and renamed.

    Parameters
    ----------
    estimator : Unmixer
        Fitted; its class is one of `unmix.METHODS`.
    folder : path-like
        To be created.
    wavelength : array_like, shape (band,), optional
        Band centres in nm of the pixels it was fitted on.
    names : sequence of str, optional
        The endmembers' names.
    scene : mapping, optional
        How the pixels were made from a scene: its bands, those kept, smoothing.
    overwrite : bool
        Replace a model that is there. Any other folder is never touched.

    Raises
    ------
    InputError
        Not fitted, not a method of ours, something in it that a model file cannot hold, or a
        folder that exists.

    >>> from unmix.methods.linear import VCAFCLS
    >>> X = np.random.default_rng(0).random((50, 8))
    >>> model = VCAFCLS(n_endmembers=3).fit(X)
    >>> path = save_model(model, Path(tempfile.mkdtemp()) / "model")
    >>> bool((load_model(path).transform(X) == model.transform(X)).all())
    True
    """
    path = Path(folder).expanduser().absolute()
    check_free(path, overwrite)
    card, arrays = _describe(estimator)
    n_bands = int(estimator.n_features_in_)
    card["wavelength_nm"] = None if wavelength is None else _wavelengths(wavelength, n_bands)
    card["names"] = None if names is None else [str(name) for name in names]
    card["scene"] = None if scene is None else dict(scene)
    try:
        text = json.dumps(card, indent=1, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise InputError(f"estimator: cannot be put in a model file ({error})") from None
    try:
        _write(path, text, arrays)
    except OSError as error:
        raise InputError(f"folder: cannot write {path} ({error.strerror or error})") from None
    return path


def load_model(folder: str | Path) -> Any:
    """The fitted estimator that `save_model` wrote.

    Raises
    ------
    InputError
        No model there; a file that is damaged, from a newer version or of an unknown method;
        arrays missing, left over or of another shape.
    """
    path = Path(folder)
    card = model_info(path)
    cls = _methods().get(card["method"])
    if cls is None:
        raise _bad(path, f"method {card['method']!r} is unknown; update unmix")
    arrays = _read_arrays(path)
    learned = _take(arrays, "learned.")
    given = _take(arrays, "parameter.")
    state = _take(arrays, "network.")
    if arrays:
        raise _bad(path, f"array {next(iter(arrays))!r} does not belong in a model")
    _check_arrays(path, learned, card["arrays"])
    parameters = card["parameters"] | given
    unknown = set(parameters) - set(inspect.signature(cls).parameters)
    if unknown:
        raise _bad(path, f"{card['method']} has no parameter {min(unknown)!r}")
    estimator = cls(**parameters)
    for name, value in (card["attributes"] | learned).items():
        if not (name.isidentifier() and name.endswith("_") and not name.startswith("_")):
            raise _bad(path, f"{name!r} is no learned attribute")
        setattr(estimator, name, value)
    _revive(path, estimator, state)
    return estimator


def model_info(folder: str | Path) -> dict[str, Any]:
    """What model.json says: method, parameters, wavelength_nm, names, scale, versions.

    Raises
    ------
    InputError
        No model there, or a model.json that cannot be used.
    """
    path = Path(folder)
    file = path / _CARD
    try:
        if file.stat().st_size > _LARGEST_CARD:
            raise _bad(path, f"{_CARD} is larger than {_LARGEST_CARD} bytes")
        card = json.loads(file.read_bytes())
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"model: no {_CARD} in {path} ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"{_CARD} is not JSON ({str(error)[:80]})") from None
    if not isinstance(card, dict) or not isinstance(card.get("format"), int):
        raise _bad(path, f"{_CARD} has no format number")
    if card["format"] > FORMAT:
        raise _bad(path, f"format {card['format']} is newer than this unmix reads; update unmix")
    for key, kind in _KEYS.items():
        if key not in card or not isinstance(card[key], kind):
            raise _bad(path, f"{_CARD} has no usable {key!r}")
    return card


# --- writing ------------------------------------------------------------------------------------


def _describe(estimator: Any) -> tuple[dict[str, Any], Arrays]:
    """The card and the arrays of a fitted estimator."""
    method = next((k for k, v in _methods().items() if type(estimator) is v), None)
    if method is None:
        raise InputError(f"estimator: {type(estimator).__name__} is not one of unmix.METHODS")
    try:
        check_is_fitted(estimator)
    except (ValueError, AttributeError) as error:
        raise InputError(f"estimator: {error}") from None
    parameters = {k: v for k, v in estimator.get_params(deep=False).items() if not callable(v)}
    given = {k: np.asarray(v) for k, v in parameters.items() if _is_array(v)}
    learned, attributes, state = _learned(estimator)
    card = {
        "format": FORMAT,
        "method": method,
        "parameters": {k: _plain(v) for k, v in parameters.items() if k not in given},
        "attributes": attributes,
        "arrays": {k: {"shape": list(v.shape), "dtype": str(v.dtype)} for k, v in learned.items()},
        "scale": parameters.get("scale"),
        "unmix_version": unmix.__version__,
        "git_commit": git_commit(),
        "torch_version": version_of("torch"),
    }
    groups = {"learned.": learned, "parameter.": given, "network.": state}
    return card, {
        prefix + name: np.array(value, order="C")
        for prefix, group in groups.items()
        for name, value in group.items()
    }


def _learned(estimator: Any) -> tuple[Arrays, dict[str, Any], Arrays]:
    """Learned arrays, learned scalars, and the network's state."""
    arrays: Arrays = {}
    attributes: dict[str, Any] = {}
    state: Arrays = {}
    for name, value in vars(estimator).items():
        if not name.endswith("_") or name.startswith("_"):
            continue
        if name == "network_":
            state = {k: v.detach().cpu().numpy() for k, v in value.state_dict().items()}
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
            arrays[name] = value
        elif name != "feature_names_in_":
            attributes[name] = _plain(value)
    return arrays, attributes, state


def _is_array(value: Any) -> bool:
    """Whether a keyword's value is an array, or a nested list of numbers standing for one."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub"
    return isinstance(value, list | tuple) and np.asarray(value, object).ndim == 2


def _plain(value: Any) -> Any:
    """NumPy scalars as Python's; everything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _wavelengths(wavelength: ArrayLike, n_bands: int) -> list[float]:
    values = np.asarray(wavelength, dtype=np.float64)
    if values.shape != (n_bands,) or not np.isfinite(values).all():
        raise InputError(f"wavelength: got shape {values.shape}; give {n_bands} numbers in nm")
    return [float(v) for v in values]


def check_free(path: Path, overwrite: bool) -> None:
    """`InputError` unless the folder is free, or a model that may be replaced."""
    parent = next((p for p in path.absolute().parents if p.exists()), path)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"folder: cannot write in {parent}; choose another place")
    if not path.exists() and not path.is_symlink():
        return
    ours = path.is_dir() and {p.name for p in path.iterdir()} == {_CARD, _ARRAYS}
    if not ours:
        raise InputError(f"folder: {path} exists and is no model; choose another name")
    if not overwrite:
        raise InputError(f"folder: {path} exists; say overwrite to replace it")


def _write(path: Path, text: str, arrays: Arrays) -> None:
    """Both files in a folder beside, then one rename; the model replaced is deleted last."""
    from safetensors.numpy import save

    made = [p for p in path.parents if not p.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        new, old = beside / "new", beside / "old"
        new.mkdir()
        (new / _ARRAYS).write_bytes(save(arrays))
        (new / _CARD).write_text(text + "\n", encoding="utf-8")
        if path.exists():
            os.rename(path, old)
        try:
            os.rename(new, path)
        except BaseException:
            if old.exists():
                os.rename(old, path)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        for parent in made:  # stays if the model, or anything else, is in it
            with suppress(OSError):
                parent.rmdir()


# --- reading ------------------------------------------------------------------------------------


def _methods() -> Mapping[str, type]:
    from unmix.methods import METHODS

    return METHODS


def _bad(path: Path, why: str) -> InputError:
    return InputError(f"model: {path}: {why}")


def _read_arrays(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: Arrays = load_file(path / _ARRAYS)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _bad(path, f"{_ARRAYS} cannot be read ({str(error)[:80]})") from None
    for name, value in arrays.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise _bad(path, f"array {name!r} holds NaN or inf")
    return arrays


def _take(arrays: Arrays, prefix: str) -> Arrays:
    """Move the arrays under a prefix into a dict of their own."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name[len(prefix) :]: arrays.pop(name) for name in names}


def _check_arrays(path: Path, learned: Arrays, expected: dict[str, Any]) -> None:
    """The learned arrays are those the card names, in its shapes and types."""
    for name in sorted(set(learned) ^ set(expected)):
        state = "missing" if name in expected else "not in the card"
        raise _bad(path, f"array {name!r} is {state}")
    for name, value in learned.items():
        got = {"shape": list(value.shape), "dtype": str(value.dtype)}
        if got != expected[name]:
            raise _bad(path, f"array {name!r} is {got}, the card says {expected[name]}")


def _revive(path: Path, estimator: Any, state: Arrays) -> None:
    """Put the network back and see that the model works: it unmixes one pixel."""
    try:
        n_members, n_bands = estimator.endmembers_.shape
        if n_bands != estimator.n_features_in_ or not _finite(vars(estimator)):
            raise ValueError("its attributes contradict each other")
        needs = getattr(estimator, "_needs_network", None)
        if state or (needs is not None and needs()):
            _load_network(estimator, state)
        pixel = estimator.endmembers_.mean(axis=0).reshape(
            (1,) * (2 if estimator.halo else 1) + (-1,)
        )
        if estimator.transform(pixel).shape[-1] != n_members:
            raise ValueError("its abundances do not fit its endmembers")
    except (AttributeError, TypeError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise _bad(path, f"cannot be put together ({' '.join(str(error).split())[:160]})") from None


def _load_network(estimator: Any, state: Arrays) -> None:
    """The estimator's network with the saved state: the same names and shapes, or an error."""
    import torch

    network = estimator._initial_network()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=True)
    estimator.network_ = network.eval()


def _finite(attributes: Mapping[str, Any]) -> bool:
    numbers = [v for v in attributes.values() if isinstance(v, float)]
    return all(map(math.isfinite, numbers))
