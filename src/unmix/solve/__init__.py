"""Abundances given endmembers: exact solvers, arrays in, arrays out."""

from unmix.solve.fcls import fcls
from unmix.solve.nnls import nnls, snnls
from unmix.solve.optimality import kkt_residual
from unmix.solve.solution import solve

__all__ = ["fcls", "kkt_residual", "nnls", "snnls", "solve"]
