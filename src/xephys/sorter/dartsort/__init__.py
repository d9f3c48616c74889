"""The preset ``dartsort``: iterative subtraction, motion, clustering, and matching with an amplitude prior."""
