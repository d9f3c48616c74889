"""The public figures."""

# Of a recording.
# Of two sortings.
from .comparison.agreement import plot_agreement as plot_agreement
from .comparison.agreement import plot_comparison_collision_by_similarity as plot_comparison_collision_by_similarity
from .comparison.agreement import plot_comparison_collision_pair_by_pair as plot_comparison_collision_pair_by_pair
from .comparison.confusion import plot_accuracy as plot_accuracy

# Of a comparison.
from .comparison.confusion import plot_confusion as plot_confusion

# Of several sortings.
from .comparison.several import plot_multicomp_agreement as plot_multicomp_agreement
from .comparison.several import plot_multicomp_agreement_by_sorter as plot_multicomp_agreement_by_sorter
from .comparison.several import plot_multicomp_graph as plot_multicomp_graph

# Of a study.
from .comparison.study import plot_study as plot_study

# Of a motion.
from .motion.displacement import plot_displacement as plot_displacement
from .motion.displacement import plot_motion as plot_motion

# Of a sorting.
from .motion.raster import plot_drift_raster as plot_drift_raster
from .recording.probe import plot_probe as plot_probe
from .recording.traces import plot_traces as plot_traces
from .report.comparison import plot_report as plot_report

# Of tracks.
from .track.calibration import plot_calibration as plot_calibration
from .track.matrix import plot_track_matrix as plot_track_matrix
from .track.motion import plot_track_motion as plot_track_motion
from .track.presence import plot_presence as plot_presence
from .track.survival import plot_survival as plot_survival
from .track.track import plot_track as plot_track

# Of an analysis.
from .units.amplitudes import plot_amplitude_distributions as plot_amplitude_distributions
from .units.amplitudes import plot_amplitudes as plot_amplitudes
from .units.amplitudes import plot_unit_depths as plot_unit_depths
from .units.places import plot_peak_activity as plot_peak_activity
from .units.places import plot_unit_locations as plot_unit_locations
from .units.places import plot_unit_probe_map as plot_unit_probe_map
from .units.templates import plot_templates as plot_templates
from .units.trains import plot_autocorrelograms as plot_autocorrelograms
from .units.trains import plot_crosscorrelograms as plot_crosscorrelograms
from .units.trains import plot_isi_distribution as plot_isi_distribution
from .units.trains import plot_rasters as plot_rasters
from .units.unit import plot_unit_summary as plot_unit_summary
from .units.waveforms import plot_principal_component as plot_principal_component
from .units.waveforms import plot_unit_waveforms as plot_unit_waveforms
from .units.waveforms import plot_waveform_density as plot_waveform_density
