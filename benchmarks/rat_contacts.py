"""Which contacts the stored rows of a rat's day are: those with spikes, and each unit has the 14 nearest of them."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Contacts of the recorded bank, and the stored contacts of a unit.
N_CONTACTS, N_STORED = 384, 14
#: x of the four columns and distance of the rows, in µm.
COLUMNS_UM, ROW_UM = np.array([43.0, 11.0, 59.0, 27.0]), 20.0
#: Contacts up to this distance from a unit whose rows depend on where a contact is left out.
REACH = 20
N_ROUNDS = 3


def contact_places() -> Any:
    """x and y of the contacts in µm, (contact, 2), from the first row of the bank."""
    contact = np.arange(N_CONTACTS)
    return np.column_stack([COLUMNS_UM[contact % 4], ROW_UM * (contact // 2)])


def sites_of(contact: Any, left_out: Any) -> Any:
    """(unit, 14): the nearest contacts of each unit, without those that were left out, in ascending order."""
    places = contact_places()
    apart = np.linalg.norm(places[contact][:, None] - places[None], axis=2).round(6)
    apart[:, left_out] = np.inf
    return np.sort(np.argsort(apart, axis=1, kind="stable")[:, :N_STORED], axis=1)


def contacts_left_out(contact: Any, rows: Any, own: Any) -> Any:
    """(contact,): which contacts have no row.

    The rows of the units' own contacts say how many contacts are left out between any two of them. Which ones they are
    is searched, one exchange after the other, so that as many stored rows as can be are those of the nearest contacts.

    Parameters
    ----------
    contact
        Contact of each unit, from 0.
    rows : (unit, 14)
    own
        Which of its 14 rows is that of the unit's contact.
    """
    known, first = np.unique(contact, return_index=True)
    row = rows[first, own[first]]
    at, count = np.concatenate([[-1], known]), np.concatenate([[-1], row])
    left_out, gaps = np.zeros(N_CONTACTS, np.bool_), []
    for low, high, n in zip(at[:-1], at[1:], np.diff(at) - np.diff(count), strict=True):
        if n > 0:
            inside = np.arange(low + 1, high)
            left_out[inside[np.argsort(np.abs(inside - inside.mean()), kind="stable")[:n]]] = True
            gaps.append(inside)

    def agreement(out: Any, inside: Any) -> int:
        here = (contact >= inside[0] - REACH) & (contact <= inside[-1] + REACH)
        return int(((np.cumsum(~out) - 1)[sites_of(contact[here], out)] == rows[here]).sum())

    for _ in range(N_ROUNDS):
        for inside in gaps:
            best = agreement(left_out, inside)
            while True:
                tried = [
                    _exchanged(left_out, i, j) for i in inside[left_out[inside]] for j in inside[~left_out[inside]]
                ]
                scores = [agreement(out, inside) for out in tried]
                if max(scores, default=0) <= best:
                    break
                best, left_out = max(scores), tried[int(np.argmax(scores))]
    return left_out


def _exchanged(left_out: Any, i: int, j: int) -> Any:
    out = left_out.copy()
    out[i], out[j] = False, True
    return out
