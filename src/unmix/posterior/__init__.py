"""Endmembers, mixing model and abundances by likelihood, with how sure they are."""
