"""Quota: how many sandboxes there may be (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from sandlot.contracts.errors import PoolExhausted, QuotaDenied


@dataclass(frozen=True, slots=True)
class Quota:
    """The most sandboxes that have not ended, for each owner and in all."""

    per_owner: int = 1_000
    in_all: int = 5_000

    def refuse_one_more(self, of_owner: int, in_all: int) -> None:
        """Raise QuotaDenied or PoolExhausted when there are that many already and one more is too many."""
        if of_owner >= self.per_owner:
            raise QuotaDenied(f"you have {of_owner} sandboxes, the most allowed: delete one first")
        if in_all >= self.in_all:
            raise PoolExhausted(f"this server has {in_all} sandboxes, the most it may: try again later")
