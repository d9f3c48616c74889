"""The segments of a recording, under the name readers look for them."""

from ..segments import segments_of, tree_of

__all__ = ["segments_of", "tree_of"]
