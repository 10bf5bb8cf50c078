"""The store contract on leading: of all that ask one gets it, and what it saves is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from pipeline_host.store import LeaderStore, ProcessStore
from pipeline_host.testing.store_base import StoreContractBase, needs, race


def leader(store: ProcessStore) -> LeaderStore:
    assert isinstance(store, LeaderStore)
    return store


class LeadContract(StoreContractBase):
    @contextmanager
    def second(self, store: ProcessStore, folder: Path) -> Iterator[LeaderStore]:
        """The same data opened once more, where it can be; else the same store."""
        if not self.shared:
            yield leader(store)
            return
        with closing(self.open_store(folder)) as other:
            yield leader(other)

    def test_leading_is_claimed_and_kept(self, store: ProcessStore) -> None:
        """``leads = True`` is for a store with ``lead``, and only for one."""
        assert isinstance(store, LeaderStore) == self.leads

    @needs("leads")
    def test_who_leads_is_the_only_one(self, store: ProcessStore, folder: Path) -> None:
        with self.second(store, folder) as other:
            lead = leader(store).lead("audit")
            assert lead is not None
            assert lead.held
            assert other.lead("audit") is None
            assert leader(store).lead("audit") is None
            assert lead.held

    @needs("leads")
    def test_of_many_that_ask_at_once_one_leads(self, store: ProcessStore, folder: Path) -> None:
        with self.second(store, folder) as other:
            for turn in range(20):
                ask = [partial(each.lead, f"n{turn}") for each in (leader(store), other)] * 2
                assert len([lead for lead in race(*ask) if lead is not None]) == 1

    @needs("leads")
    def test_each_name_has_a_lead_of_its_own(self, store: ProcessStore, folder: Path) -> None:
        with self.second(store, folder) as other:
            first, second = leader(store).lead("audit"), other.lead("audit.more")
            assert first is not None
            assert second is not None
            first.release()
            assert second.held

    @needs("leads")
    def test_who_releases_the_lead_lets_another_have_it(
        self, store: ProcessStore, folder: Path
    ) -> None:
        with self.second(store, folder) as other:
            for here, there in ((leader(store), other), (other, leader(store))):
                lead = here.lead("audit")
                assert lead is not None
                lead.release()
                assert not lead.held
                next_lead = there.lead("audit")
                assert next_lead is not None
                lead.release()
                assert next_lead.held
                assert here.lead("audit") is None
                next_lead.release()

    @needs("leads")
    def test_who_closes_the_store_lets_another_lead(self, folder: Path) -> None:
        with closing(self.open_store(folder)) as store:
            lead = leader(store).lead("audit")
            assert lead is not None
        with closing(self.open_store(folder)) as store:
            assert leader(store).lead("audit") is not None
            assert not lead.held

    @needs("leads")
    def test_a_cursor_is_what_was_saved_last(self, store: ProcessStore, folder: Path) -> None:
        with self.second(store, folder) as other:
            assert other.load_cursor("audit") is None
            for seq in (0, 7, 2**53, 3):
                leader(store).save_cursor("audit", seq)
                assert other.load_cursor("audit") == seq
            assert other.load_cursor("audit.more") is None
            other.save_cursor("audit.more", 9)
            assert leader(store).load_cursor("audit") == 3
            assert leader(store).load_cursor("audit.more") == 9

    @needs("leads")
    def test_a_cursor_is_kept(self, folder: Path) -> None:
        """As long as all other data is."""
        with closing(self.open_store(folder)) as store:
            leader(store).save_cursor("audit", 7)
        with closing(self.open_store(folder)) as store:
            assert leader(store).load_cursor("audit") == (7 if self.durable else None)
