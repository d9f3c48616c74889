"""The public figures."""

# Of a recording.
# Of two sortings.
from .agreement import plot_agreement as plot_agreement
from .agreement import plot_comparison_collision_by_similarity as plot_comparison_collision_by_similarity
from .agreement import plot_comparison_collision_pair_by_pair as plot_comparison_collision_pair_by_pair

# Of an analysis.
from .amplitudes import plot_amplitude_distributions as plot_amplitude_distributions
from .amplitudes import plot_amplitudes as plot_amplitudes
from .amplitudes import plot_unit_depths as plot_unit_depths
from .confusion import plot_accuracy as plot_accuracy

# Of a comparison.
from .confusion import plot_confusion as plot_confusion

# Of a motion.
from .motion import plot_displacement as plot_displacement
from .motion import plot_motion as plot_motion
from .places import plot_peak_activity as plot_peak_activity
from .places import plot_unit_locations as plot_unit_locations
from .places import plot_unit_probe_map as plot_unit_probe_map
from .probe import plot_probe as plot_probe

# Of a sorting.
from .raster import plot_drift_raster as plot_drift_raster
from .report import plot_report as plot_report

# Of several sortings.
from .several import plot_multicomp_agreement as plot_multicomp_agreement
from .several import plot_multicomp_agreement_by_sorter as plot_multicomp_agreement_by_sorter
from .several import plot_multicomp_graph as plot_multicomp_graph

# Of a study.
from .study import plot_study as plot_study
from .templates import plot_templates as plot_templates
from .traces import plot_traces as plot_traces
from .trains import plot_autocorrelograms as plot_autocorrelograms
from .trains import plot_crosscorrelograms as plot_crosscorrelograms
from .trains import plot_isi_distribution as plot_isi_distribution
from .trains import plot_rasters as plot_rasters
from .unit import plot_unit_summary as plot_unit_summary
from .waveforms import plot_principal_component as plot_principal_component
from .waveforms import plot_unit_waveforms as plot_unit_waveforms
from .waveforms import plot_waveform_density as plot_waveform_density
