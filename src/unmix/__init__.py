"""unmix: what an imaging-spectrometer scene is made of.

Names are loaded when first used, so that `import unmix` stays light.

>>> import unmix
>>> unmix.__version__.count(".")
2
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "CResDAE": "unmix.methods",
    "Endmembers": "unmix.types",
    "InputError": "unmix.checks",
    "Solution": "unmix.types",
    "Unmixing": "unmix.types",
    "METHODS": "unmix.methods",
    "open_scene": "unmix.scene",
    "read_endmembers": "unmix.io.library",
    "run": "unmix.pipeline",
}

_PACKAGES = ("features", "geology", "identify")  # unmix.identify.identify: loaded when asked for

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _PACKAGES:
        return import_module(f"unmix.{name}")
    raise AttributeError(f"module 'unmix' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_PACKAGES])
