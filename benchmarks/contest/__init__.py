"""The parts of ``sorters.py``: sets, sorters in their own processes, scores, what is kept, tables."""
