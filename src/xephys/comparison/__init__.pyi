"""The public comparisons, by SpikeInterface's names; :func:`xephys.compare` is the short way."""

# With the truth.
from .ground_truth import GroundTruthComparison as GroundTruthComparison
from .ground_truth import compare_sorter_to_ground_truth as compare_sorter_to_ground_truth

# Of two.
from .two_sorters import SymmetricSortingComparison as SymmetricSortingComparison
from .two_sorters import compare_two_sorters as compare_two_sorters
