"""The parameters of each preset as a readable table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, get_args, get_origin

from .presets import DEFAULT_PRESET, find_preset

_LIMITS = {"gt": "> {:g}", "ge": "≥ {:g}", "lt": "< {:g}", "le": "≤ {:g}"}
#: Unit of a parameter by the ending of its name.
_UNITS = {"_hz": "Hz", "_um": "µm", "_ms": "ms", "_s": "s"}
HEADINGS = ("name", "default", "limits", "unit", "description")


@dataclass(frozen=True)
class ParameterRow:
    """Description of one parameter."""

    name: str
    default: str
    limits: str
    unit: str
    meaning: str

    def __iter__(self) -> Iterator[str]:
        return iter((self.name, self.default, self.limits, self.unit, self.meaning))


@dataclass(frozen=True)
class ParameterTable:
    """The parameters of a preset; displayed as a table in terminals and notebooks.

    Attributes
    ----------
    preset
        Name of the preset.
    rows
        One row per parameter, in the order of the preset.
    """

    preset: str
    rows: tuple[ParameterRow, ...]

    def __getitem__(self, name: str) -> ParameterRow:
        return next(row for row in self.rows if row.name == name)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        cells = [HEADINGS, *(tuple(row) for row in self.rows)]
        widths = [max(len(line[k]) for line in cells) for k in range(len(HEADINGS) - 1)]
        lines = ["  ".join([*(f"{c:<{w}}" for c, w in zip(line, widths, strict=False)), line[-1]]) for line in cells]
        return "\n".join([f"Parameters of preset {self.preset!r}", *lines])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
        return f"<table><caption>{escape(self.preset)}</caption><tr>{head}</tr>{rows}</table>"

    def to_markdown(self) -> str:
        """The table as Markdown."""
        lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
        lines += [f"| `{row.name}` | {' | '.join(list(row)[1:])} |" for row in self.rows]
        return "\n".join(lines) + "\n"


def parameters(preset: str = DEFAULT_PRESET) -> ParameterTable:
    """Every parameter of a preset of :func:`xephys.sort`: name, default, limits, unit, and what it does.

    Parameters
    ----------
    preset
        ``"default"``, ``"kilosort4"``, ``"rt_sort"`` or ``"dartsort"``.

    Raises
    ------
    ParameterError
        If the preset does not exist; the nearest name is suggested.

    Examples
    --------
    >>> table = parameters("default")
    >>> table["detect_threshold"].default, table["detect_threshold"].limits
    ('4.5', '> 0')
    >>> print(table)  # doctest: +ELLIPSIS
    Parameters of preset 'default'
    name ...
    """
    model = find_preset(preset).model
    units = getattr(model, "UNITS", {})
    rows = [
        ParameterRow(
            name,
            _default(field.default),
            limits_of(field),
            units.get(name) or next((unit for end, unit in _UNITS.items() if name.endswith(end)), ""),
            str(field.description),
        )
        for name, field in model.model_fields.items()
    ]
    return ParameterTable(preset, tuple(rows))


def limits_of(field: Any) -> str:
    """The values that a field accepts, in readable form: ``> 0, ≤ 1``, or its choices.

    Examples
    --------
    >>> from xephys.sorter.presets import find_preset
    >>> limits_of(find_preset("default").model.model_fields["peak_sign"])
    'neg, pos, both'
    """
    if get_origin(field.annotation) is Literal:
        return ", ".join(map(str, get_args(field.annotation)))
    if field.annotation is bool:
        return "True, False"
    found = []
    for rule in field.metadata:
        for attribute, words in _LIMITS.items():
            value = getattr(rule, attribute, None)
            if value is not None:
                found.append(words.format(value))
    return ", ".join(found)


def _default(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
