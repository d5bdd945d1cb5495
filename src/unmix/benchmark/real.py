"""Public scenes with a published truth, unmixed blind and with the published endmembers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from unmix.benchmark.case import Case, Job, Suite, Target
from unmix.benchmark.data import AbsentError, read_jasper, read_samson, read_urban_crop
from unmix.benchmark.settings import KNOWN, contenders, parameters

__all__ = ["real"]

SCALES = ("l2", "auto")


def real(
    data: Path | None, *, seeds: int, quick: bool, methods: Sequence[str] | None = None
) -> Suite:
    """Samson, Jasper Ridge and the Urban crop with 4, 5 and 6 members."""
    readers: dict[str, Callable[[], Case]] = {
        "samson": partial(read_samson, data),
        "jasper": partial(read_jasper, data),
        **{f"urban-{k}": partial(read_urban_crop, data, k) for k in (4, 5, 6)},
    }
    jobs: list[Job] = []
    skipped: list[str] = []
    for name, reader in readers.items():
        try:
            reader()
        except AbsentError as absent:
            skipped.append(str(absent))
            continue
        blind, known = Target("blind", name, reader), Target("known", name, reader)
        for scale, m, seed in product(SCALES, contenders(methods), range(seeds)):
            options = parameters(m, quick)
            jobs.append(Job(m, scale, seed, (blind,), parameters=options))
            if m in KNOWN:
                jobs.append(
                    Job(m, scale, seed, (known,), known=True, parameters=options, label=KNOWN[m])
                )
    return Suite("real", jobs, _protocol(), list(dict.fromkeys(skipped)))


def _protocol() -> list[str]:
    return [
        "All pixels of Samson (95 x 95), Jasper Ridge (100 x 100) and of the public crop of Urban "
        "(rows 0-79, columns 187-286, 4, 5 and 6 members), as published; K given; blind, and with "
        "the published endmembers. Scale l2 divides pixels and endmembers by their norm; auto "
        "decides from the scene.",
        "Members are matched one to one by spectral angle (Hungarian method); RMSE over all "
        "abundance entries, endmember SAD averaged over members.",
    ]
