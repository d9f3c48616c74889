"""The public names of the batch pipeline."""

# ruff: noqa: I001  (blocks by use, not by alphabet)

# Batches, and what they return.
from .batch.sort_recording import sort_recording as sort_recording
from .batch.sort_recording import sort_multistream as sort_multistream
from .batch.results import BatchResults as BatchResults
from .batch.results import RecordingResult as RecordingResult
from .batch.spike_data import SpikeData as SpikeData
from .batch.compiled import read_compiled as read_compiled

# The table of back-ends.
from .batch.backends import SorterBackend as SorterBackend
from .batch.backends import list_sorters as list_sorters
from .batch.backends import get_backend_class as get_backend_class
from .batch.backends import add_backend as add_backend

# The configuration of a batch.
from .config.config import SortingPipelineConfig as SortingPipelineConfig
from .config.config import config_table as config_table
from .config.groups import RecordingConfig as RecordingConfig
from .config.groups import SorterConfig as SorterConfig
from .config.groups import RTSortConfig as RTSortConfig
from .config.groups import WaveformConfig as WaveformConfig
from .config.groups import CurationConfig as CurationConfig
from .config.groups import CompilationConfig as CompilationConfig
from .config.figures import FigureConfig as FigureConfig
from .config.execution import ExecutionConfig as ExecutionConfig
from .config.presets import KILOSORT2 as KILOSORT2
from .config.presets import KILOSORT2_DOCKER as KILOSORT2_DOCKER
from .config.presets import KILOSORT4 as KILOSORT4
from .config.presets import KILOSORT4_DOCKER as KILOSORT4_DOCKER
from .config.presets import RT_SORT_MEA as RT_SORT_MEA
from .config.presets import RT_SORT_NEUROPIXELS as RT_SORT_NEUROPIXELS

# Failures by what has to be done about them.
from .sorter_logs import classify_ks2_failure as classify_ks2_failure
from .sorter_logs import classify_ks4_failure as classify_ks4_failure
from .sorter_logs import classify_rt_sort_failure as classify_rt_sort_failure
from .classified import SpikeSortingClassifiedError as SpikeSortingClassifiedError
from .classified import BiologicalSortFailure as BiologicalSortFailure
from .classified import EnvironmentSortFailure as EnvironmentSortFailure
from .classified import ResourceSortFailure as ResourceSortFailure
from .classified import InsufficientActivityError as InsufficientActivityError
from .classified import NoGoodChannelsError as NoGoodChannelsError
from .classified import SaturatedSignalError as SaturatedSignalError
from .classified import EmptyWaveformMetricsError as EmptyWaveformMetricsError
from .classified import HDF5PluginMissingError as HDF5PluginMissingError
from .classified import DockerEnvironmentError as DockerEnvironmentError
from .classified import ModelLoadingError as ModelLoadingError
from .classified import ConcurrentSortError as ConcurrentSortError
from .classified import GPUOutOfMemoryError as GPUOutOfMemoryError
from .classified import SorterTimeoutError as SorterTimeoutError
from .classified import DiskExhaustionError as DiskExhaustionError
from .classified import GpuMemoryWatchdogError as GpuMemoryWatchdogError
from .classified import GpuThermalWatchdogError as GpuThermalWatchdogError
from .classified import HostMemoryWatchdogError as HostMemoryWatchdogError
from .classified import HostOutOfMemoryError as HostOutOfMemoryError
from .classified import IOStallError as IOStallError
