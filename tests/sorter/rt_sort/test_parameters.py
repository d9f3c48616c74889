"""Names and defaults are those of RT-Sort."""

from pathlib import Path

import pytest

import xephys
from xephys.sorter.rt_sort.parameters import RTSortParameters

#: As published, by name: MEA, Neuropixels.
PUBLISHED = {
    "ms_before": (0.5, 0.5), "ms_after": (0.5, 0.5), "inner_radius": (50, 50), "outer_radius": (100, 100),
    "min_activity_root_cocs": (2, 2), "min_activity_hz": (0.05, 0.05), "max_n_components_latency": (4, 4),
    "max_n_components_amp": (4, 4), "min_coc_n": (10, 10), "min_coc_p": (10, 10), "min_extend_comp_p": (50, 50),
    "elec_patience": (6, 6), "split_coc_clusters_amps": (True, True), "min_amp_dist_p": (0.1, 0.1),
    "min_loose_elec_prob": (0.03, 0.03), "min_inner_loose_detections": (3, 3), "min_loose_detections_n": (4, 4),
    "min_loose_detections_r_spikes": (1 / 3, 1 / 3), "min_loose_detections_r_sequences": (1 / 3, 1 / 3),
    "max_latency_diff_spikes": (3.5, 2.5), "max_latency_diff_sequences": (3.5, 2.5),
    "max_amp_median_diff_spikes": (0.65, 0.45), "max_amp_median_diff_sequences": (0.65, 0.45),
    "max_root_amp_median_std_spikes": (2.5, 2.5), "max_root_amp_median_std_sequences": (float("inf"), 2.5),
    "repeated_detection_overlap_time": (0.2, 0.2), "min_seq_spikes_n": (10, 10), "min_seq_spikes_hz": (0.05, 0.05),
    "relocate_root_min_amp": (0.8, 0.8), "relocate_root_max_latency": (-2, -2),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_defaults_are_the_published_ones(name):
    p = RTSortParameters()
    for rate, value in zip((20_000.0, 30_000.0), PUBLISHED[name], strict=True):
        given = getattr(p, name)
        assert (p.limit(name, rate) if given is None else given) == value


def test_limits_follow_the_probe_that_is_named():
    p = RTSortParameters(probe="mea", max_amp_median_diff_spikes=0.5)
    assert p.limit("max_latency_diff_spikes", 30_000.0) == 3.5
    assert p.limit("max_amp_median_diff_spikes", 30_000.0) == 0.5
    assert p.network_name(30_000.0) == "mea"


def test_wrong_values_are_named():
    from xephys.sorter.presets import read_parameters

    for given, text in (
        ({"inner_radius": 200}, "inner_radius is 200"),
        ({"min_coc_p": 120}, "min_coc_p is 120"),
        ({"probe": "utah"}, "probe is 'utah'"),
        ({"min_coc": 3}, "has no parameter 'min_coc'"),
    ):
        with pytest.raises(xephys.ParameterError, match=text):
            read_parameters("rt_sort", given)


#: The other parameters that RT-Sort has, whose defaults depend on its network, its machine or the number of channels.
OTHERS = (
    "stringent_thresh", "loose_thresh", "min_elecs_for_array_noise", "min_elecs_for_seq_noise",
    "inference_scaling_numerator", "pre_median_ms", "num_processes", "device",
)  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_parameters_exist_or_the_page_says_what_replaces_them(name):
    page = Path(__file__).parents[3] / "docs" / "how_to" / "realtime.md"
    row = f"| `{name}`" in page.read_text() or f"`{name}`," in page.read_text() or f", `{name}`" in page.read_text()
    assert name in RTSortParameters.model_fields or row


@pytest.mark.parametrize(
    ("name", "n_channels", "value"),
    [("min_elecs_for_seq_noise", 384, 300), ("min_elecs_for_seq_noise", 8000, 400)],
)
def test_limits_of_noise_follow_the_number_of_channels(name, n_channels, value):
    assert RTSortParameters().learning(n_channels)[name] == value
