"""Abundances given endmembers: exact solvers, arrays in, arrays out."""

from unmix.solve.fcls import fcls
from unmix.solve.khype import khype
from unmix.solve.nnls import nnls, snnls
from unmix.solve.optimality import kkt_residual
from unmix.solve.skhype import skhype
from unmix.solve.solution import solve

__all__ = ["fcls", "khype", "kkt_residual", "nnls", "skhype", "snnls", "solve"]
