"""The public names of curation that are not at the top level."""

# ruff: noqa: I001  (blocks by use, not by alphabet)

# Labels.
from .bombcell import label_like_bombcell as label_like_bombcell
from .rules import curation_log as curation_log

# A curation whose steps can be undone.
from .undo import Curation as Curation
from .undo import begin_curation as begin_curation

# Merges that are found.
from .merge_search import Merges as Merges
from .merge_search import find_merges as find_merges
from .merge_search import merge_automatically as merge_automatically

# What was found twice, or outside.
from .cleanup import find_redundant_units as find_redundant_units
from .cleanup import remove_duplicated_spikes as remove_duplicated_spikes
from .cleanup import remove_excess_spikes as remove_excess_spikes
from .cleanup import remove_redundant_units as remove_redundant_units
