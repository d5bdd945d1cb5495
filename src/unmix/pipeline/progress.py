"""The stages a scene passes through: timed, and told to whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Progress", "Stages"]

Progress = Callable[[str, float], None]
"""Called with a stage's name and the fraction of it that is done. If it has a method `words`, that
is called with the name and how it goes: throughput and memory."""


@dataclass
class Stages:
    """Timings of the stages passed through; tells `progress` of each."""

    progress: Progress | None = None
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[Callable[..., None]]:
        """Time a stage; what it yields takes the fraction that is done, and words on it."""

        def tell(fraction: float, *words: str) -> None:
            if self.progress is not None:
                self.progress(name, fraction)
                if words and hasattr(self.progress, "words"):
                    self.progress.words(name, *words)

        tell(0.0)
        start = time.perf_counter()
        yield tell
        self.timings[name] = round(time.perf_counter() - start, 3)
        tell(1.0)
