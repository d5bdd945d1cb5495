"""Checks of what a user hands in; each message names the argument, what was got, the remedy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "InputError",
    "check_endmembers",
    "check_n_endmembers",
    "check_option",
    "check_pixels",
    "check_seed",
]


class InputError(ValueError):
    """The user's input is wrong; the message says what, where, and what to do about it.

    The command line turns it into one line on standard error and exit code 2.

    >>> raise InputError("endmembers: got 1 spectrum; give at least 2")
    Traceback (most recent call last):
        ...
    unmix.checks.InputError: endmembers: got 1 spectrum; give at least 2
    """


def _as_float(value: ArrayLike, name: str) -> NDArray[np.floating]:
    """Array of float32 (kept) or float64 (everything else); `InputError` when it is not numeric."""
    array = np.asarray(value)
    if array.dtype == np.float32 or array.dtype == np.float64:
        return array
    if array.dtype.kind not in "fiub" and array.dtype != object:
        raise InputError(f"{name}: got dtype {array.dtype}; give real numbers")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: cannot be read as numbers ({error})") from None


def check_pixels(X: ArrayLike, name: str = "X", *, min_bands: int = 2) -> NDArray[np.floating]:
    """Spectra as a float array of shape (..., band), finite.

    Parameters
    ----------
    X : array_like, shape (..., band)
        Spectra, one per pixel. float32 stays float32; other real types become float64.
    name : str
        The argument's name, for messages.
    min_bands : int
        The fewest bands allowed.

    Raises
    ------
    InputError
        Not numeric, no pixel axis, too few bands, no pixels, NaN or infinite values.

    >>> check_pixels([[1, 2, 3]]).dtype
    dtype('float64')
    """
    array = _as_float(X, name)
    if array.ndim < 2:
        raise InputError(
            f"{name}: got {array.ndim} dimension(s); Reshape your data to (..., pixel, band)"
        )
    if array.shape[-1] < min_bands:
        raise InputError(
            f"{name}: {array.shape[-1]} feature(s) (shape={array.shape}) while a minimum of "
            f"{min_bands} is required; unmixing needs several bands"
        )
    if array.size == 0:
        raise InputError(f"{name}: 0 sample(s) (shape={array.shape}); give at least one pixel")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: contains NaN or inf; mask those pixels first")
    return array


def check_endmembers(
    E: ArrayLike, n_bands: int | None = None, name: str = "endmembers"
) -> NDArray[np.floating]:
    """Endmember spectra as a float array of shape (member, band), finite, none all zero.

    Raises
    ------
    InputError
        Not 2-D, band count differs from `n_bands`, NaN or infinite values, an all-zero spectrum.

    >>> check_endmembers([[1.0, 0.5], [0.2, 0.9]], n_bands=2).shape
    (2, 2)
    """
    array = _as_float(E, name)
    if array.ndim != 2 or array.shape[0] < 1:
        raise InputError(f"{name}: got shape {array.shape}; give (member, band)")
    if n_bands is not None and array.shape[1] != n_bands:
        raise InputError(
            f"{name}: {array.shape[1]} bands where the pixels have {n_bands}; "
            "resample them to the scene's bands"
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name}: contains NaN or inf; drop those bands or members")
    if not np.abs(array).max(axis=1).all():
        raise InputError(f"{name}: a spectrum is zero in every band; remove it")
    return array


def check_n_endmembers(n: int, n_pixels: int, n_bands: int, name: str = "n_endmembers") -> int:
    """Number of endmembers K with 2 ≤ K ≤ min(pixels, bands, 64).

    Raises
    ------
    InputError
        Not a whole number, or out of range.

    >>> check_n_endmembers(3, 100, 50)
    3
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise InputError(f"{name}: got {n!r}; give a whole number")
    if n < 2:
        raise InputError(f"{name}: got {n}; a mixture has at least 2 endmembers")
    for limit, what in ((n_bands, "bands"), (n_pixels, "pixels"), (64, "supported members")):
        if n > limit:
            raise InputError(f"{name}: got {n}, more than the {limit} {what}; give fewer")
    return int(n)


def check_seed(seed: int, name: str = "seed") -> int:
    """A seed NumPy and torch both take: a whole number from 0 to 2⁶³ - 1.

    >>> check_seed(3)
    3
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise InputError(
            f"{name}: got {seed!r}; give a whole number, 0 or more (below 2 to the 63)"
        )
    return int(seed)


def check_option(value: str, options: tuple[str, ...], name: str) -> str:
    """One of `options`, else an `InputError` that lists them.

    >>> check_option("l2", ("none", "l2"), "scale")
    'l2'
    """
    if value not in options:
        raise InputError(f"{name}: got {value!r}; choose one of {', '.join(options)}")
    return value
