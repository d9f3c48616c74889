"""The public figures."""

# Of a recording.
from .confusion import plot_accuracy as plot_accuracy

# Of a comparison.
from .confusion import plot_confusion as plot_confusion

# Of a motion.
from .motion import plot_displacement as plot_displacement
from .motion import plot_motion as plot_motion
from .probe import plot_probe as plot_probe

# Of a sorting.
from .raster import plot_drift_raster as plot_drift_raster
from .report import plot_report as plot_report
from .templates import plot_templates as plot_templates
from .traces import plot_traces as plot_traces
