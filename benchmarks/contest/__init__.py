"""The parts of ``sorters.py``: recordings, sorters in processes of their own, scores, stored results, tables."""
