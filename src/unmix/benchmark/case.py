"""A scene with its truth, and the runs that are made on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Case", "Job", "Suite", "Target"]


@dataclass(frozen=True, eq=False)
class Case:
    """A scene whose truth is known.

    Parameters
    ----------
    name, label : str
        For files and for readers.
    X : ndarray, float32, shape (row, col, band)
        Reflectance, every pixel valid.
    A : ndarray, shape (row, col, member)
    E : ndarray, shape (member, band)
    names : tuple of str
    wavelength : ndarray, shape (band,), optional
        In nm.
    model : str, optional
        Mixing model of a simulated scene.
    snr_db : float, optional
        Of a simulated scene.
    """

    name: str
    label: str
    X: NDArray[np.float32]
    A: NDArray[np.float32]
    E: NDArray[np.floating]
    names: tuple[str, ...]
    wavelength: NDArray[np.float64] | None = None
    model: str | None = None
    snr_db: float | None = None


@dataclass(frozen=True, eq=False)
class Target:
    """A scene to unmix, as a row of the results names it.

    Parameters
    ----------
    part : str
        Group of the row: "simulated", "transfer-crop", "transfer-full", "grid", "blind", "known".
    scene : str
        Name of the case.
    make : callable
        Makes the case; called only when the run is still to be done.
    """

    part: str
    scene: str
    make: Callable[[], Case]


@dataclass(frozen=True, eq=False)
class Job:
    """One fit and the scenes it is then applied to.

    Parameters
    ----------
    method, scale, seed
        A name in `settings.NAMES`, its scale mode ("auto": decided from the scene), its seed.
    targets : tuple of Target
        Unmixed after the fit, a row each.
    training : Target, optional
        The scene fitted, where it is another than the (then only) target.
    known : bool
        Give the method the true endmembers.
    parameters : mapping
        Keywords of the method beyond its defaults.
    label : str, optional
        Shown instead of the method's own.
    """

    method: str
    scale: str
    seed: int
    targets: tuple[Target, ...]
    training: Target | None = None
    known: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None

    def key(self, target: Target) -> str:
        """What tells this run from all others of the suite; fit for a file name.

        >>> target = Target("grid", "linear-10db", lambda: None)
        >>> Job("nae", "none", 0, (target,)).key(target)
        'grid_linear-10db_nae_none_s0'
        """
        scene = target.scene
        if self.training is not None:
            scene += f"-from-{self.training.scene}"
        return f"{target.part}_{scene}_{self.method}_{self.scale}_s{self.seed}"


@dataclass(frozen=True, eq=False)
class Suite:
    """The runs of one benchmark.

    Parameters
    ----------
    name : str
    jobs : list of Job
        Jobs on one scene stand together, so that it is made once.
    protocol : list of str
        Sentences that say how the numbers are made.
    skipped : list of str
        Lines on data that is not there, and where it can be had.
    """

    name: str
    jobs: list[Job]
    protocol: list[str]
    skipped: list[str]
