"""The group ``figures``: which pictures are drawn, and how they look."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Group, setting

_COLORS = ("#f74343", "#fccd56", "#74fc56", "#56fcf6", "#1e1efa", "#fa1ed2")


@dataclass(frozen=True)
class FigureConfig(Group):
    """Pictures of a batch and of its units."""

    create_figures: bool = setting(False, doc="draw the pictures of the batch")
    create_unit_figures: bool = setting(False, doc="draw a page per unit")
    dpi: int | None = setting(None, doc="dots per inch; None: Matplotlib's", low=10)
    font_size: int = setting(12, "pt", low=1)
    bar_x_label: str = setting("Recording")
    bar_y_label: str = setting("Number of Units")
    bar_label_rotation: float = setting(0, "degrees", "of the names of recordings")
    bar_total_label: str = setting("First Curation", doc="legend of the units after the first stage")
    bar_selected_label: str = setting("Selected Curation", doc="legend of the units after the second stage")
    scatter_std_max_units_per_recording: int | None = setting(None, doc="units drawn per recording; None: all", low=1)
    scatter_recording_colors: tuple[str, ...] = setting(_COLORS, doc="one per recording, again from the first")
    scatter_recording_alpha: float = setting(1.0, doc="opacity", low=0, high=1)
    scatter_x_label: str = setting("Number of Spikes")
    scatter_y_label: str = setting("avg. STD / amplitude")
    scatter_x_max_buffer: float = setting(300.0, "spikes", "room beyond the last unit", low=0)
    scatter_y_max_buffer: float = setting(0.2, doc="room above the last unit", low=0)
    templates_color_curated: str = setting("#000000", doc="units that were kept")
    templates_color_failed: str = setting("#FF0000", doc="units that were removed")
    templates_per_column: int = setting(50, low=1)
    templates_y_spacing: float = setting(50.0, "uV", "between two templates", low=0)
    templates_y_lim_buffer: float = setting(10.0, "uV", "room above and below", low=0)
    templates_window_ms_before: float = setting(5.0, "ms", "start of the axis before the peak", low=0)
    templates_window_ms_after: float = setting(5.0, "ms", "end of the axis after the peak", low=0)
    templates_line_ms_before: float = setting(1.0, "ms", "dashed guide before the peak", low=0)
    templates_line_ms_after: float = setting(4.0, "ms", "dashed guide after the peak", low=0)
    templates_x_label: str = setting("Time Rel. to Peak (ms)")
