"""Simulated extracellular recordings with an exact truth, computed block by block from a seed."""
