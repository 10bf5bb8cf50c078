"""Stores that break the rules for leading, each in one way."""

from __future__ import annotations

from pathlib import Path

from acme_store import AcmeStore
from acme_store.store import AcmeLead
from breaking import breaks


@breaks("test_leading_is_claimed_and_kept", leads=False)
class HidesThatItLeads(AcmeStore):
    pass


@breaks(
    "test_who_leads_is_the_only_one",
    "test_of_many_that_ask_at_once_one_leads",
    "test_who_releases_the_lead_lets_another_have_it",
)
class LetsEverybodyLead(AcmeStore):
    def lead(self, name: str) -> AcmeLead | None:
        return AcmeLead({}, name)


@breaks("test_each_name_has_a_lead_of_its_own")
class HasOneLead(AcmeStore):
    def lead(self, name: str) -> AcmeLead | None:
        return super().lead("")


class StaysInTheLead(AcmeLead):
    def release(self) -> None:
        pass


@breaks("test_who_releases_the_lead_lets_another_have_it")
class NeverReleases(AcmeStore):
    def lead(self, name: str) -> AcmeLead | None:
        lead = super().lead(name)
        return lead and StaysInTheLead({}, name)


@breaks("test_who_closes_the_store_lets_another_lead")
class LeadsWhenClosed(AcmeStore):
    def close(self) -> None:
        self._led = {}
        super().close()


@breaks("test_a_cursor_is_what_was_saved_last")
class OnlyGoesForward(AcmeStore):
    def save_cursor(self, name: str, seq: int) -> None:
        super().save_cursor(name, max(seq, self.load_cursor(name) or 0))


@breaks("test_a_cursor_is_kept")
class ForgetsCursors(AcmeStore):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._database.writing() as db:
            db.execute("DELETE FROM cursor")
