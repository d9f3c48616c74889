"""The command line, as a process of its own, which reuses the memory of tiles: see `heap`."""

import os

# Numpy asks for huge pages when it is imported, unless this says otherwise. The first write to each then costs three to
# six times as much as to the same memory in small pages where the memory of a virtual machine is lent piece by piece,
# and a sort writes to 2 GB once. Later passes, over reused memory, take as long with either.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
