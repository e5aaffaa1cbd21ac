"""Z01 to Z15: archives that would write, link or grow where they must not."""

from __future__ import annotations

from . import archive_plays as plays
from .case import Case, careless, no_wall

_TITLES = {
    "Z01": "members that climb by ..",
    "Z02": "members with absolute names",
    "Z03": "a link, then a member through it",
    "Z04": "hard links out",
    "Z05": "a chain of links longer than a path may be",
    "Z06": "devices, FIFOs and unknown kinds",
    "Z10": "cut, corrupt, and more than an archive",
    "Z11": "one name twice, files that become directories",
    "Z12": "extended headers that are huge or contradict",
    "Z13": "names that are no text",
    "Z14": "sparse members",
}
_FOLLOWED = frozenset({"Z01", "Z02", "Z03", "Z04"})
_PLAIN = "pins a refusal of ours: a careless reader fails here in its own ways, which prove nothing"


def _refusal(name: str) -> Case:
    control = careless(plays.extracted_carelessly(name)) if name in _FOLLOWED else no_wall(_PLAIN)
    return Case(name, _TITLES[name], plays.refused_whole(name), control)


CASES = tuple(
    sorted(
        (
            *map(_refusal, _TITLES),
            Case("Z07", "set-uid, odd owners and times", plays.odd_metadata, careless(plays.metadata_kept)),
            Case(
                "Z08",
                "10 GB of zeros in a few megabytes",
                plays.zeros,
                careless(plays.zeros_unbounded),
                seconds=120.0,
            ),
            Case(
                "Z09",
                "a million members",
                plays.million,
                no_wall("refused at the bound, long before the end"),
                seconds=120.0,
            ),
            Case(
                "Z15",
                "download a workspace full of traps",
                plays.download,
                careless(plays.download_carelessly),
            ),
        ),
        key=lambda case: case.id,
    )
)
