"""What is decided from the scene: noise, number of endmembers, scale, the method configured."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.checks import InputError, check_n_endmembers, check_option

if TYPE_CHECKING:
    from unmix.methods.base import Unmixer

__all__ = ["configure", "count", "halo", "noise", "noise_warning", "scale_mode"]

Pixels = NDArray[np.floating]

LEAST_SNR = 3.0  # dB, below which a scene is warned of


def noise(X: Pixels, seed: int) -> dict[str, Any]:
    """SNR and noise per band, as the manifest holds them."""
    from unmix.subspace import estimate_noise

    found = estimate_noise(X, seed=seed)
    return {"snr_db": found.snr_db, "per_band": found.sigma.tolist()}


def noise_warning(snr_db: float) -> list[str]:
    """A line where numbers are as good as random, which is how a wrong header makes them look.

    >>> noise_warning(-0.2)[0][:52]
    'noise is as large as the signal (SNR -0.2 dB): check'
    >>> noise_warning(10.0)
    []
    """
    if not snr_db < LEAST_SNR:
        return []
    return [
        f"noise is as large as the signal (SNR {snr_db:.1f} dB): check the byte order and data "
        "type that the header gives"
    ]


def count(X: Pixels, n: int | None, E: Pixels | None, seed: int) -> dict[str, Any]:
    """K, who chose it, and why."""
    if E is not None and n in (None, len(E)):
        if len(E) < 2:
            raise InputError(
                f"endmembers: got {len(E)}; a mixture has at least 2: give more, or a number of "
                "endmembers above it to find the others"
            )
        return {"k": len(E), "chosen": "user", "why": "the endmembers are given"}
    if E is not None and n is not None:
        n = check_n_endmembers(n, *X.shape)
        if n < len(E):
            raise InputError(
                f"n_endmembers: {n}, but {len(E)} endmembers are given; leave it out, or ask for "
                "more to be found beside them"
            )
        why = f"asked for: {len(E)} given, {n - len(E)} found beside them"
        return {"k": n, "chosen": "user", "why": why, "given": len(E)}
    if n is not None:
        n = check_n_endmembers(n, *X.shape)
        return {"k": n, "chosen": "user", "why": "asked for"}
    from unmix.n_endmembers import suggest

    found = suggest(X, seed=seed)
    return {"k": found.k, "chosen": "estimated", "why": found.why, "criteria": found.criteria}


def scale_mode(X: Pixels, E: Pixels | None, k: int, scale: str, seed: int) -> dict[str, Any]:
    """Scale mode, who chose it, and why."""
    from unmix.scaling import SCALES, choose_scale

    check_option(scale, ("auto", *SCALES), "scale")
    if scale != "auto":
        return {"mode": scale, "chosen": "user", "why": "asked for", "evidence": {}}
    complete = E if E is not None and len(E) == k else None
    choice = choose_scale(X, E=complete, n_endmembers=k, seed=seed)
    return {
        "mode": choice.mode, "chosen": "auto", "why": choice.why, "evidence": choice.evidence,
    }  # fmt: skip


def halo(method: str | None, parameters: Mapping[str, Any] | None) -> int:
    """Pixels around a pixel that the method looks at.

    >>> halo("vca-fcls", None), halo("conv-ae", None)
    (0, 1)
    """
    from unmix.methods import DEFAULT, METHODS

    kind = METHODS[check_option(method or DEFAULT, tuple(METHODS), "method")]
    known = inspect.signature(kind).parameters
    given = {k: v for k, v in (parameters or {}).items() if k in known}
    return int(kind(**given).halo)


def configure(
    method: str | None,
    E: Pixels | None,
    k: int,
    scale: str,
    seed: int,
    device: str,
    parameters: Mapping[str, Any] | None,
    progress: Callable[[float], None] | None = None,
) -> Unmixer:
    """The method, configured; a keyword it does not have is the user's error."""
    from unmix.methods import DEFAULT, METHODS

    name = check_option(method or DEFAULT, tuple(METHODS), "method")
    accepted = inspect.signature(METHODS[name]).parameters
    options: dict[str, Any] = {"n_endmembers": k, "endmembers": E, "scale": scale, "seed": seed}
    check_option(device, ("auto", "cpu", "cuda"), "device")
    if device == "cuda" and "device" not in accepted:
        raise InputError(f"device: {name} does not use a GPU; leave it out")
    for key, value in (("device", device), ("progress", progress)):
        if key in accepted:
            options[key] = value
    taken = sorted(set(parameters or {}) & {*options, "progress"})
    if taken:
        raise InputError(
            f"{taken[0]}: not among the method's parameters; use the option of its own"
        )
    unknown = sorted(set(parameters or {}) - set(accepted))
    if unknown:
        raise InputError(
            f"{unknown[0]}: {name} has no such parameter; it takes {', '.join(accepted)}"
        )
    return METHODS[name](**(options | dict(parameters or {})))
