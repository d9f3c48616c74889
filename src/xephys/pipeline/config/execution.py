"""The group ``execution``: how a batch runs, what is repeated, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ParameterError
from ..memory_size import bytes_of
from .fields import Group, setting

#: What is done with the rest of a batch after a failure.
POLICIES = ("skip", "stop", "retry")
_WARN = "a limit that is crossed is a classified failure; there is no warning before it"
_POLL = "the limit is checked after each chunk, and every poll_interval_s beside it"
_CHUNKS = "processes that wait for a disk give no chunk: sorter_inactivity_timeout sees them, whatever the device"
_LOGS = "what happened is in recording_report.json; logs of sorters are in the intermediate folder"
_GPU = "a GPU that is too hot throttles by itself; memory is limited by gpu_abort_pct"


@dataclass(frozen=True)
class ExecutionConfig(Group):
    """How a batch runs."""

    n_jobs: int = setting(
        8, "threads", "of one recording; several run side by side while there are threads for them", low=1
    )
    total_memory: str = setting("16G", doc="memory of all recordings that are sorted side by side")
    use_parallel_processing_for_raw_conversion: bool = setting(
        True, instead="recordings are read where they are; nothing is converted"
    )
    save_script: bool = setting(False, doc="write rerun.py, which repeats the batch, beside the results")
    out_file: str = setting("sort_with_kilosort2.out", instead=_LOGS)
    random_seed: int = setting(1, doc="of every random choice", low=0)
    recompute_recording: bool = setting(False, doc="repeat everything, even if nothing changed")
    recompute_sorting: bool = setting(False, doc="repeat the sorting and what follows")
    reextract_waveforms: bool = setting(False, doc="repeat waveforms, metrics and what follows")
    recurate_first: bool = setting(False, doc="repeat both stages of curation and what follows")
    recurate_second: bool = setting(False, doc="repeat the second stage of curation and what follows")
    recompile_single_recording: bool = setting(False, doc="write compiled files again")
    delete_inter: bool = setting(True, doc="remove the intermediate folder after a success")
    host_ram_watchdog: bool = setting(True, doc="stop a recording before the machine runs out of memory")
    host_ram_warn_pct: float = setting(85.0, "%", low=0, high=100, instead=_WARN)
    host_ram_abort_pct: float = setting(92.0, "%", "of the machine's memory in use", low=1, high=100)
    host_ram_poll_interval_s: float = setting(2.0, "s", "between two looks at guarded resources", low=0.01)
    preflight: bool = setting(True, doc="check folders, disk, memory, rates and sorters before anything runs")
    preflight_strict: bool = setting(False, doc="warnings of these checks are failures")
    preflight_min_free_inter_gb: float = setting(20.0, "GB", "free on the disk of intermediate files", low=0)
    preflight_min_free_results_gb: float = setting(2.0, "GB", "free on the disk of results", low=0)
    preflight_min_available_ram_gb: float = setting(4.0, "GB", "free memory", low=0)
    preflight_min_free_vram_gb: float = setting(2.0, "GB", low=0, instead=_GPU)
    sorter_inactivity_timeout: bool = setting(True, doc="stop a sorter that neither finishes a chunk nor writes a line")
    sorter_inactivity_base_s: float = setting(600.0, "s", "limit of that silence", low=0)
    sorter_inactivity_per_min_s: float = setting(30.0, "s", "more per minute of recording", low=0)
    sorter_inactivity_max_s: float = setting(7200.0, "s", "but never more than this", low=0)
    sorter_inactivity_in_process_grace_s: float = setting(10.0, "s", "between asking it to end and ending it", low=0)
    oom_retry_max: int = setting(1, doc="repetitions with smaller chunks after a lack of memory", low=0)
    oom_retry_factor: float = setting(0.5, doc="by which chunks and batches shrink", low=0.01, high=0.99)
    canary_first_n_s: float = setting(0.0, "s", "run everything on so long a start first; 0: not", low=0)
    canary_min_recording_s: float = setting(120.0, "s", "shorter recordings have no such rehearsal", low=0)
    docker_image_expected_digest: str | None = setting(
        None, instead="sorter_params={'docker_image': 'name@sha256:...'} runs that image and no other"
    )
    disk_watchdog: bool = setting(True, doc="stop a recording before the disk is full")
    disk_warn_free_gb: float = setting(5.0, "GB", low=0, instead=_WARN)
    disk_abort_free_gb: float = setting(1.0, "GB", "free on the disks of results and intermediate files", low=0)
    disk_poll_interval_s: float = setting(10.0, "s", low=0.01, instead=_POLL)
    io_stall_watchdog: bool = setting(True, doc="stop a recording whose reads and writes stand still")
    io_stall_s: float = setting(300.0, "s", "limit of a standstill of reads and writes", low=0)
    io_stall_poll_interval_s: float = setting(10.0, "s", low=0.01, instead=_POLL)
    io_stall_mode: str = setting("process", choices=("process", "device"), instead=_CHUNKS)
    io_stall_include_descendants: bool = setting(True, doc="count what child processes read and write, too")
    cleanup_temp_files: bool = setting(
        True, instead="results are whole or absent, and the next run removes what a killed one left"
    )
    prevent_system_sleep: bool = setting(True, instead="run the batch under systemd-inhibit or caffeinate")
    gpu_watchdog: bool = setting(True, doc="stop a recording before the GPU runs out of memory")
    gpu_warn_pct: float = setting(85.0, "%", low=0, high=100, instead=_WARN)
    gpu_abort_pct: float = setting(95.0, "%", "of the GPU's memory in use", low=1, high=100)
    gpu_poll_interval_s: float = setting(2.0, "s", low=0.01, instead=_POLL)
    gpu_warn_temp_c: float = setting(85.0, "°C", low=0, instead=_WARN)
    gpu_abort_temp_c: float = setting(92.0, "°C", "limit of the GPU's temperature", low=0)
    gpu_monitor_throttle_reasons: bool = setting(True, instead=_GPU)
    tee_log_policy: str = setting(
        "delete_on_success", choices=("delete_on_success", "keep", "gzip_on_success"), instead=_LOGS
    )
    generate_sorting_report: bool = setting(True, doc="write sorting_report.md")
    failure_policy: str = setting(
        "skip",
        doc="after a failure: skip the recording, stop the batch, or retry with smaller chunks",
        choices=POLICIES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        bytes_of(self.total_memory)
        if "/" in self.out_file or "\\" in self.out_file or not self.out_file:
            raise ParameterError(f"out_file is {self.out_file!r}; give the name of a file, not a path")
