"""The public names of curation that are not at the top level."""

# Labels.
from .bombcell import label_like_bombcell as label_like_bombcell
from .rules import curation_log as curation_log

# A curation whose steps can be undone.
from .undo import Curation as Curation
from .undo import begin_curation as begin_curation
