"""Studies: many recordings with a known truth and many sorters in one folder, with SpikeInterface's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ..analysis.run import analyze
from ..analysis.tables import compute_quality_metrics
from ..checks import check_passed_on, hint_for
from ..errors import ParameterError
from ..io.read.open import open_recording
from ..io.read.sortings import open_sorting
from ..io.store.atomic import whole_or_absent
from ..pipeline.failures import Failure
from ..pipeline.run_folder import RunRecord, sorting_in
from ..pipeline.run_sorters import SorterResults, SorterRuns, SorterSpec, run_sorters
from ..preprocess.filter import highpass_filter
from ..recording.segments import segments_of, tree_of
from ..typing import PathLike
from ..wrong_calls import explained_methods
from .ground_truth import GroundTruthComparison, compare_sorter_to_ground_truth
from .study_folder import create_folder, read_places, read_runs, truth_path

if TYPE_CHECKING:
    import pandas as pd

#: Cutoff of the high-pass filter applied before the true units are measured.
FREQ_MIN_HZ = 300.0


@explained_methods
class GroundTruthStudy:
    """Recordings with their ground truth, and the sorters' results, in a folder.

    Nothing is lost when a study is interrupted: :meth:`run_sorters` resumes, and a study that is opened again from its
    folder knows which runs were finished.

    Parameters
    ----------
    study_folder
        The folder of a study that :meth:`create` made.

    Raises
    ------
    OutputError
        If the folder holds no study.

    Examples
    --------
    >>> import tempfile
    >>> from xephys.testing import simulate_recording
    >>> recording, truth = simulate_recording(duration_s=10, n_channels=8, n_units=2, seed=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> study = GroundTruthStudy.create(folder.name + "/study", {"monday": (recording, truth)})
    >>> study.run_sorters(["xephys_default"])
    <SorterResults: 1 results, 0 failures>
    >>> study.aggregate_count_units()["num_well_detected"].tolist()
    [2]
    >>> folder.cleanup()
    """

    def __init__(self, study_folder: PathLike) -> None:
        self.folder = Path(study_folder).absolute()
        self._scores: dict[str, Any] = {}
        self.scan_folder()

    @classmethod
    def create(cls, study_folder: PathLike, gt_dict: Mapping[str, tuple[Any, Any]]) -> GroundTruthStudy:
        """Create a study in a new folder.

        Parameters
        ----------
        study_folder
            A folder that does not exist yet.
        gt_dict
            Recording and truth by name. Recordings may be ours or SpikeInterface's; the truth may be that of a
            simulation, a sorting of ours, or SpikeInterface's. Recordings in files are referred to, not copied;
            recordings in memory are saved.

        Raises
        ------
        OutputError
            If the folder exists already.
        ParameterError
            If there are no recordings, or a name cannot be used as the name of a folder.
        """
        create_folder(study_folder, gt_dict)
        return cls(study_folder)

    def __repr__(self) -> str:
        done = sum(record.failure is None for record in self.runs.values())
        return f"<GroundTruthStudy: {len(self.rec_names)} recordings, {done} results, {len(self.failures)} failures>"

    def scan_folder(self) -> None:
        """Read the contents of the folder again."""
        self._places = read_places(self.folder)
        self.runs: dict[tuple[str, str], RunRecord] = read_runs(self.folder)
        self.__dict__.pop("comparisons", None)

    @property
    def rec_names(self) -> list[str]:
        """Names of the recordings."""
        return list(self._places)

    @property
    def sorter_names(self) -> list[str]:
        """Names of the sorters that have run."""
        return list(dict.fromkeys(sorter for _, sorter in self.runs))

    @property
    def failures(self) -> dict[tuple[str, str], Failure]:
        """Why a sorter has no result on a recording, by recording and sorter."""
        return {key: record.failure for key, record in self.runs.items() if record.failure is not None}

    def get_recording(self, rec_name: str) -> xr.DataArray | xr.DataTree:
        """A recording, lazily."""
        return open_recording(self.folder / self._place(rec_name))

    def get_ground_truth(self, rec_name: str) -> xr.DataTree:
        """The ground truth of a recording."""
        self._place(rec_name)
        return open_sorting(truth_path(self.folder, rec_name))

    def get_sorting(self, sorter_name: str, rec_name: str) -> xr.DataTree:
        """The sorting that a sorter made of a recording.

        Raises
        ------
        ParameterError
            If the sorter has not run on that recording, or failed.
        """
        record = self.runs.get((rec_name, sorter_name))
        if record is None:
            self._place(rec_name)
            names = self.sorter_names
            raise ParameterError(
                f"sorter {sorter_name!r} has not run on {rec_name!r}; call run_sorters{hint_for(sorter_name, names)}"
            )
        if record.failure is not None:
            raise ParameterError(f"sorter {sorter_name!r} has no sorting of {rec_name!r}: {record.failure}")
        return sorting_in(self.folder / "runs" / rec_name / sorter_name)

    def plan_sorters(
        self, sorters: Sequence[str] | Mapping[str, SorterSpec], *, mode: str = "keep", **options: Any
    ) -> SorterRuns:
        """All sorters on all recordings as one lazy graph; ``options`` as in :func:`xephys.run_sorters`."""
        check_passed_on(options, run_sorters, what="plan_sorters", without=("folder",))
        recordings = {name: self.get_recording(name) for name in self.rec_names}
        return run_sorters(sorters, recordings, folder=self.folder / "runs", mode=mode, **options)

    def run_sorters(
        self,
        sorters: Sequence[str] | Mapping[str, SorterSpec],
        *,
        mode: str = "keep",
        n_at_once: int = 1,
        keep_work: bool = False,
        resources: Mapping[str, Mapping[str, float]] | None = None,
    ) -> SorterResults:
        """Run sorters on all recordings, except for runs that are finished. Computes.

        Parameters
        ----------
        sorters, mode, keep_work, resources
            As in :func:`xephys.run_sorters`.
        n_at_once
            Number of runs at the same time in this process; on a cluster, the workers decide.

        Returns
        -------
        Every run, with its sorting or its failure.
        """
        runs = self.plan_sorters(sorters, mode=mode, keep_work=keep_work, resources=resources)
        results = runs.compute(n_at_once=n_at_once)
        self.scan_folder()
        return results

    def run_comparisons(self, *, exhaustive_gt: bool = False, **scores: Any) -> dict[tuple[str, str], Any]:
        """Compare every sorting with its ground truth.

        Parameters
        ----------
        exhaustive_gt, **scores
            As in :func:`xephys.comparison.compare_sorter_to_ground_truth`; the tables below use the same values.

        Returns
        -------
        The comparisons by recording and sorter.
        """
        names = ("gt_name", "tested_name")
        check_passed_on(scores, compare_sorter_to_ground_truth, what="run_comparisons", without=names)
        self._scores = {"exhaustive_gt": exhaustive_gt, **scores}
        self.__dict__.pop("comparisons", None)
        return self.comparisons

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], GroundTruthComparison]:
        """The comparisons by recording and sorter, with the scores of the last call of :meth:`run_comparisons`."""
        truths = {name: self.get_ground_truth(name) for name in self.rec_names}
        return {
            (name, sorter): compare_sorter_to_ground_truth(
                truths[name], self.get_sorting(sorter, name), gt_name=name, tested_name=sorter, **self._scores
            )
            for (name, sorter), record in self.runs.items()
            if record.failure is None
        }

    def aggregate_run_times(self) -> pd.DataFrame:
        """Run time of each run in seconds, one row per recording and sorter.

        If a run failed, ``status`` is the kind of failure.
        """
        import pandas as pd

        rows = [
            {
                "rec_name": name,
                "sorter_name": sorter,
                "run_time": record.run_time_s,
                "status": "done" if record.failure is None else record.failure.kind,
            }
            for (name, sorter), record in self.runs.items()
        ]
        columns = ["rec_name", "sorter_name", "run_time", "status"]
        return pd.DataFrame(rows, columns=columns).set_index(columns[:2])

    def aggregate_performance_by_unit(self) -> pd.DataFrame:
        """Accuracy, recall, precision and other scores of each true unit, by recording, sorter and unit."""
        return self._rows(lambda comparison: comparison.get_performance())

    def aggregate_count_units(
        self,
        well_detected_score: float | None = None,
        redundant_score: float | None = None,
        overmerged_score: float | None = None,
    ) -> pd.DataFrame:
        """Numbers of units of each kind, by recording and sorter."""
        import pandas as pd

        given = (well_detected_score, overmerged_score, redundant_score)
        counts = {key: comparison.count_units_categories(*given) for key, comparison in self.comparisons.items()}
        table = pd.DataFrame(counts).T
        table.index = pd.MultiIndex.from_tuples(list(counts), names=["rec_name", "sorter_name"])
        return table

    def aggregate_dataframes(self, copy_into_folder: bool = True, **scores: float) -> dict[str, pd.DataFrame]:
        """All tables, by name: ``run_times``, ``perf_by_unit`` and ``count_units``.

        Parameters
        ----------
        copy_into_folder
            Also write the tables as CSV files to ``tables/`` in the folder.
        **scores
            As in :meth:`aggregate_count_units`.
        """
        check_passed_on(scores, self.aggregate_count_units, what="aggregate_dataframes")
        tables = {
            "run_times": self.aggregate_run_times(),
            "perf_by_unit": self.aggregate_performance_by_unit(),
            "count_units": self.aggregate_count_units(**scores),
        }
        if copy_into_folder:
            for name, table in tables.items():
                self._write_table(f"tables/{name}.csv", table)
        return tables

    def compute_metrics(
        self, rec_name: str, metric_names: Sequence[str] = ("snr",), *, freq_min_hz: float = FREQ_MIN_HZ
    ) -> pd.DataFrame:
        """Compute quality metrics of the true units of a recording, and keep them in the folder. Computes.

        Parameters
        ----------
        rec_name
            Name of the recording.
        metric_names
            Some of :func:`xephys.quality_metric_names`.
        freq_min_hz
            Cutoff of the high-pass filter applied before the measurement; 0 leaves the traces unfiltered.
        """
        filtered = self._filtered(rec_name, freq_min_hz)
        metrics = compute_quality_metrics(self.get_ground_truth(rec_name), filtered, list(metric_names))
        table = metrics.to_dataframe().set_index("unit_id").rename_axis("gt_unit_id")
        self._write_table(f"metrics/{rec_name}.csv", table)
        return table

    def get_metrics(self, rec_name: str) -> pd.DataFrame:
        """The metrics from :meth:`compute_metrics`; if it was not called, signal-to-noise ratios, computed now."""
        import pandas as pd

        self._place(rec_name)
        stored = self.folder / "metrics" / f"{rec_name}.csv"
        if not stored.exists():
            return self.compute_metrics(rec_name)
        return pd.read_csv(stored, index_col="gt_unit_id")

    def get_units_snr(self, rec_name: str) -> pd.DataFrame:
        """Signal-to-noise ratios of the true units of a recording."""
        metrics = self.get_metrics(rec_name)
        return metrics[["snr"]] if "snr" in metrics else self.compute_metrics(rec_name, [*metrics, "snr"])[["snr"]]

    def concat_all_snr(self) -> pd.DataFrame:
        """Signal-to-noise ratios of all true units, by recording and unit."""
        import pandas as pd

        return pd.concat({name: self.get_units_snr(name) for name in self.rec_names}, names=["rec_name"])

    def get_templates(
        self, rec_name: str, sorter_name: str | None = None, *, freq_min_hz: float = FREQ_MIN_HZ
    ) -> xr.DataArray:
        """Average waveforms of the true units of a recording, or of the units that a sorter found. Computes."""
        tree = self.get_ground_truth(rec_name) if sorter_name is None else self.get_sorting(sorter_name, rec_name)
        analyzed = analyze(tree, self._filtered(rec_name, freq_min_hz), ["templates"])
        return analyzed["analysis/templates"]["average"]

    def _filtered(self, rec_name: str, freq_min_hz: float) -> xr.DataArray | xr.DataTree:
        recording = self.get_recording(rec_name)
        if not freq_min_hz:
            return recording
        pieces = [highpass_filter(segment, freq_min_hz=freq_min_hz) for segment in segments_of(recording)]
        return pieces[0] if len(pieces) == 1 else tree_of(pieces)

    def _rows(self, table_of: Callable[[GroundTruthComparison], Any]) -> pd.DataFrame:
        import pandas as pd

        tables = {key: table_of(comparison) for key, comparison in self.comparisons.items()}
        if not tables:
            raise ParameterError("no sorter has a result yet; call run_sorters")
        return pd.concat(tables, names=["rec_name", "sorter_name"])

    def _write_table(self, place: str, table: pd.DataFrame) -> None:
        with whole_or_absent(self.folder / place, overwrite=True) as hidden:
            table.to_csv(hidden)

    def _place(self, rec_name: str) -> str:
        if rec_name not in self._places:
            raise ParameterError(
                f"the study has no recording {rec_name!r}; it has {', '.join(self._places)}"
                f"{hint_for(rec_name, self._places)}"
            )
        return str(self._places[rec_name])
