"""A page of results with some rows measured again, or added; the others stay as they are."""

import re
from collections.abc import Sequence
from typing import Any

#: A line of the plain table: the set, our sorter with the digest of its code or a peer, and what demands are made on.
ROW = re.compile(
    r"(?P<set>\S+:\S+) +(?P<sorter>\S+?)(?P<code>-[0-9a-f]{12})? +"
    r"(?P<well>\d+)/(?P<units>\d+) +(?P<accuracy>\S+) +(?P<false>\d+)/(?P<redundant>\d+)/"
)
DEMAND = re.compile(r"\| (?P<set>\S+:\S+) \| (?P<demand>[^|]+) \|")


def with_rows(page: str, parts: Sequence[str]) -> str:
    """The page with the rows of ``parts``: in place of those of the same set and sorter or demand, or after the last.

    Examples
    --------
    >>> page = "set sorter well\\na:1 default-0123456789ab 2/3 0.7 0/1/0\\nb:1 lupin 1/3 0.5 4/2/0"
    >>> print(with_rows(page, ["a:1 default-ba9876543210 3/3 0.9 0/0/0"]))
    set sorter well
    a:1 default-ba9876543210 3/3 0.9 0/0/0
    b:1 lupin 1/3 0.5 4/2/0
    """
    lines, new = page.splitlines(), [line for part in parts for line in part.splitlines()]
    for row in (ROW, DEMAND):
        for line in new:
            if not (found := row.match(line)):
                continue
            places = {match.groups()[:2]: n for n, old in enumerate(lines) if (match := row.match(old))}
            key = found.groups()[:2]
            if key in places:
                lines[places[key]] = line
            else:
                lines.insert(max(places.values(), default=len(lines) - 1) + 1, line)
    return "\n".join(lines)


def peers_on(page: str) -> list[dict[str, Any]]:
    """What the page tells of peers, as runs to which ours are compared.

    Examples
    --------
    >>> peers_on("a:1 default-0123456789ab 2/3 0.7 0/1/0\\nb:1 lupin 1/3 0.5 4/2/0")
    [{'set': 'b:1', 'sorter': 'lupin', 'state': 'done', 'score': {'well': 1, 'redundant': 2}}]
    """
    return [
        {
            "set": row["set"],
            "sorter": row["sorter"],
            "state": "done",
            "score": {"well": int(row["well"]), "redundant": int(row["redundant"])},
        }
        for row in map(ROW.match, page.splitlines())
        if row and not row["code"]
    ]
