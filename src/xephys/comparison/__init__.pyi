"""The public comparisons, by SpikeInterface's names; :func:`xephys.compare` is the short way."""

# With the truth.
# Of spikes that lie on each other.
from .collisions import CollisionComparison as CollisionComparison
from .collisions import compare_collisions as compare_collisions
from .ground_truth import GroundTruthComparison as GroundTruthComparison
from .ground_truth import compare_sorter_to_ground_truth as compare_sorter_to_ground_truth

# Of several.
from .several import MultiSortingComparison as MultiSortingComparison
from .several import compare_multiple_sorters as compare_multiple_sorters

# Of two.
from .two_sorters import SymmetricSortingComparison as SymmetricSortingComparison
from .two_sorters import compare_two_sorters as compare_two_sorters
