"""The public names of xephys and where each is defined: imports, documentation and completion follow this list.

A function in the first two blocks takes a recording as its first argument and is also a method of ``recording.ephys``.
The functions of the first block are wrapped so that they accept a DataTree of segments too.
"""

# ruff: noqa: I001  (blocks by use, not by alphabet)

# Functions of a recording that return a recording, or given a tree of segments a tree; also methods of ``.ephys``.
from .recording.slicing import select_channels as select_channels
from .recording.device import to_device as to_device
from .preprocess.filter import bandpass_filter as bandpass_filter
from .preprocess.filter import highpass_filter as highpass_filter
from .preprocess.filter import notch_filter as notch_filter
from .preprocess.filter import filter as filter
from .preprocess.filter import filter_with_sos as filter_with_sos
from .preprocess.gaussian import gaussian_filter as gaussian_filter
from .preprocess.phase_shift import phase_shift as phase_shift
from .preprocess.reference import common_reference as common_reference
from .preprocess.scale import scale as scale
from .preprocess.resample import resample as resample
from .preprocess.resample import decimate as decimate
from .preprocess.scale import to_uv as to_uv
from .preprocess.values.limits import clip as clip
from .preprocess.values.limits import rectify as rectify
from .preprocess.values.limits import blank_saturation as blank_saturation
from .preprocess.values.standardize import center as center
from .preprocess.values.standardize import zscore as zscore
from .preprocess.values.standardize import normalize_by_quantile as normalize_by_quantile
from .preprocess.values.convert import astype as astype
from .preprocess.values.convert import unsigned_to_signed as unsigned_to_signed
from .preprocess.values.convert import correct_lsb as correct_lsb
from .preprocess.whiten import whiten as whiten
from .preprocess.blank.common_artifacts import blank_common_artifacts as blank_common_artifacts
from .preprocess.blank.noisy_stretches import blank_noisy_stretches as blank_noisy_stretches
from .preprocess.marked_channels import mark_bad_channels as mark_bad_channels
from .preprocess.marked_channels import drop_bad_channels as drop_bad_channels
from .preprocess.spatial.order import depth_order as depth_order
from .preprocess.spatial.order import pad_channels as pad_channels
from .preprocess.spatial.along import directional_derivative as directional_derivative
from .preprocess.spatial.along import average_across_direction as average_across_direction
from .preprocess.spatial.destripe import highpass_spatial_filter as highpass_spatial_filter
from .preprocess.bad_channels import interpolate_bad_channels as interpolate_bad_channels
from .preprocess.blank.artifacts import blank_artifacts as blank_artifacts
from .preprocess.silence import fill_silence as fill_silence
from .preprocess.blank.periods import silence_periods as silence_periods
from .preprocess.blank.periods import remove_artifacts as remove_artifacts
from .preprocess.blank.shapes import subtract_artifacts as subtract_artifacts
from .motion.correct import correct_motion as correct_motion
from .sorter.steps.reuse import whiten_like as whiten_like

# Functions of a recording that return something else; also methods of ``.ephys``.
from .recording.slicing import time_slice as time_slice
from .recording.slicing import spread_slices as spread_slices
from .recording.clock import sample_times as sample_times
from .recording.joined import split_segments as split_segments
from .recording.channels import split_channels as split_channels
from .preprocess.values.standardize import estimate_statistics as estimate_statistics
from .preprocess.values.convert import estimate_lsb as estimate_lsb
from .recording.excerpts import sample_traces as sample_traces
from .preprocess.noise import estimate_noise_levels as estimate_noise_levels
from .preprocess.whiten import estimate_whitening as estimate_whitening
from .preprocess.bad_channels import detect_bad_channels as detect_bad_channels
from .preprocess.blank.shapes import estimate_artifacts as estimate_artifacts
from .preprocess.blank.crossings import detect_artifact_periods as detect_artifact_periods
from .detect.matched_filter import estimate_matched_filter as estimate_matched_filter
from .detect.peaks import detect_peaks as detect_peaks
from .localize.peaks import localize_peaks as localize_peaks
from .motion.estimate import estimate_motion as estimate_motion
from .motion.extend import extend_motion as extend_motion
from .features.noise import estimate_feature_noise as estimate_feature_noise
from .features.waveforms import extract_snippets as extract_snippets
from .features.components import learn_components as learn_components
from .features.waveforms import project_peaks as project_peaks
from .features.shapes import learn_shapes as learn_shapes
from .detect.universal import universal_templates as universal_templates
from .detect.universal import detect_universal as detect_universal
from .cluster.peaks import cluster_peaks as cluster_peaks
from .cluster.refine import refine_clusters as refine_clusters
from .cluster.modularity import cluster_by_modularity as cluster_by_modularity
from .templates.average import estimate_templates as estimate_templates
from .match.noise_gain import estimate_noise_gain as estimate_noise_gain
from .match.templates import match_templates as match_templates
from .match.thresholds import balance_thresholds as balance_thresholds
from .match.residual import match_residual as match_residual
from .sorter.run import sort as sort
from .io.checkpoint import checkpoint as checkpoint
from .io.store.save import save_recording as save_recording
from .io.bridge.spikeinterface import to_spikeinterface as to_spikeinterface
from .graph.describe import describe as describe
from .plot.traces import plot_traces as plot_traces
from .plot.probe import plot_probe as plot_probe

# Other functions, classes and errors.
from .recording.segments import append_segments as append_segments
from .recording.joined import concatenate_segments as concatenate_segments
from .recording.channels import aggregate_channels as aggregate_channels
from .curate.segments import split_sorting as split_sorting
from .curate.segments import select_period as select_period
from .curate.segments import select_segments as select_segments
from .curate.together import append_sortings as append_sortings
from .curate.together import aggregate_units as aggregate_units
from .curate.units import select_units as select_units
from .curate.units import relabel_units as relabel_units
from .curate.merge import merge_units as merge_units
from .curate.split import split_unit as split_unit
from .curate.curation import apply_curation as apply_curation
from .curate.curation import read_curation as read_curation
from .curate.curation import save_curation as save_curation
from .curate.rules import curate_by_rules as curate_by_rules
from .analysis.run import analyze as analyze
from .analysis.extract import extract_waveforms as extract_waveforms
from .analysis.tables import compute_quality_metrics as compute_quality_metrics
from .analysis.tables import compute_template_metrics as compute_template_metrics
from .analysis.tables import quality_metric_names as quality_metric_names
from .analysis.tables import template_metric_names as template_metric_names
from .io.read.open import open_recording as open_recording
from .io.bridge.spikeinterface import from_spikeinterface as from_spikeinterface
from .curate.make import make_sorting as make_sorting
from .io.bridge.analyzer import to_spikeinterface_analyzer as to_spikeinterface_analyzer
from .io.read.sortings import open_sorting as open_sorting
from .io.store.sorting import save_sorting as save_sorting
from .io.bridge.si_motion import from_spikeinterface_motion as from_spikeinterface_motion
from .io.bridge.si_motion import to_spikeinterface_motion as to_spikeinterface_motion
from .motion.displacement import make_motion as make_motion
from .motion.displacement import displacement_at as displacement_at
from .io.export.phy import export_phy as export_phy
from .io.export.kilosort import export_kilosort as export_kilosort
from .io.export.nwb import export_nwb as export_nwb
from .io.export.alf import export_alf as export_alf
from .io.export.cell_explorer import export_cell_explorer as export_cell_explorer
from .io.export.arrays import export_npz as export_npz
from .io.export.arrays import export_mat as export_mat
from .io.export.pynapple import to_pynapple as to_pynapple
from .io.export.pynapple import export_pynapple as export_pynapple
from .plot.report_folder import export_report as export_report
from .schema import make_recording as make_recording
from .pipeline.run_sorter import run_sorter as run_sorter
from .pipeline.run_sorters import run_sorters as run_sorters
from .pipeline.sorters import available_sorters as available_sorters
from .pipeline.sorters import installed_sorters as installed_sorters
from .pipeline.sorters import sorter_parameters as sorter_parameters
from .pipeline.sorters import sorter_description as sorter_description
from .pipeline.sorters import sorter_versions as sorter_versions
from .sorter.parameters import parameters as parameters
from .pipeline.steps import apply_pipeline as apply_pipeline
from .pipeline.steps import make_pipeline as make_pipeline
from .provenance import replay as replay
from .provenance import history_text as history_text
from .detect.matched_filter import prototype_of_components as prototype_of_components
from .features.shapes import standard_shapes as standard_shapes
from .templates.average import dense_templates as dense_templates
from .comparison.pair import Comparison as Comparison
from .comparison.pair import compare as compare
from .errors import OutputError as OutputError
from .errors import ParameterError as ParameterError
from .errors import RecordingError as RecordingError
from .errors import ResourceError as ResourceError
from .errors import SorterError as SorterError
from .errors import XephysWarning as XephysWarning

# Submodules.
from . import comparison as comparison
from . import curate as curate
from . import plot as plot
from . import testing as testing

__version__: str
