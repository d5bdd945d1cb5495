"""Miniature satellite products: a cube written as a mission delivers its data.

Each module has `write(folder, cube, wavelength, fwhm, crs, transform, ...)`, which makes the
product's files in a new folder, in the layout that `unmix.open_scene` reads (structure, names,
numbers, scaling, no-data, order of bands and detectors), and gives the path to open.

>>> "enmap" in PRODUCTS
True
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from unmix.checks import check_option

__all__ = ["PRODUCTS", "writer"]

PRODUCTS = ("ahsi", "enmap", "prisma", "emit", "tanager")
"""Products that can be written, by the names of their modules."""


def writer(name: str) -> Callable[..., Path]:
    """The `write` of a product.

    >>> writer("enmap").__module__
    'unmix.simulate.products.enmap'
    """
    module: Any = import_module(f"{__name__}.{check_option(name, PRODUCTS, 'product')}")
    write: Callable[..., Path] = module.write
    return write
