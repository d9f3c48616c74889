"""The complete description of a probe as a recording's attribute: text for programs and files, one line for people."""

from __future__ import annotations

import json


class ProbeDescription(str):
    """ProbeInterface's JSON description of a probe group; its repr shows the name and number of contacts.

    Examples
    --------
    >>> ProbeDescription('{"probes": [{"contact_positions": [[0, 0], [0, 20]], "annotations": {"model_name": "A2"}}]}')
    <probe A2 of 2 contacts, as text>
    """

    __slots__ = ()

    def __repr__(self) -> str:
        try:
            probes = json.loads(self[:])["probes"]
            n_contacts = sum(len(probe["contact_positions"]) for probe in probes)
            known = [{**probe.get("annotations", {}), **probe} for probe in probes]
        except (ValueError, KeyError, TypeError):
            return super().__repr__()
        names = dict.fromkeys(str(probe.get("model_name") or probe.get("name") or "") for probe in known)
        what = "".join(f" {name}" for name in names if name)
        return f"<{'probe' if len(probes) == 1 else f'{len(probes)} probes'}{what} of {n_contacts} contacts, as text>"

    __str__ = __repr__
