"""The public comparisons, by SpikeInterface's names; :func:`xephys.compare` is the short way."""

# ruff: noqa: I001  (blocks by use, not by alphabet)

# With the truth.
from .ground_truth import GroundTruthComparison as GroundTruthComparison
from .ground_truth import compare_sorter_to_ground_truth as compare_sorter_to_ground_truth
from .collisions import CollisionComparison as CollisionComparison
from .collisions import compare_collisions as compare_collisions
from .hybrid import HybridComparison as HybridComparison
from .hybrid import compare_hybrid as compare_hybrid

# Of two or several, none of which is the truth.
from .two_sorters import SymmetricSortingComparison as SymmetricSortingComparison
from .two_sorters import compare_two_sorters as compare_two_sorters
from .several import MultiSortingComparison as MultiSortingComparison
from .several import compare_multiple_sorters as compare_multiple_sorters

# Of many recordings and sorters.
from .study import GroundTruthStudy as GroundTruthStudy
