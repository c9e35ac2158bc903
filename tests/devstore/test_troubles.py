"""Which operations and requests meet the faults that were set."""

import pytest

from devstore.faults import NO_FAULTS, Faults
from devstore.faults_bulk import NO_API_FAULTS, NO_BULK_FAULTS, ApiFaults, BulkFaults
from devstore.troubles import Trouble, Troubles

NAMES = frozenset({"Counted", "ordersCount"})


def hits(trouble, count=100, names=NAMES):
    return [trouble.for_request(names) is not NO_API_FAULTS for _ in range(count)]


def test_nothing_goes_wrong_by_default():
    trouble = Trouble(NO_FAULTS, 0)

    assert trouble.for_operation("orders") == NO_BULK_FAULTS
    assert not any(hits(trouble))


def test_faults_from_the_start_hold_for_every_store(stores):
    troubles = Troubles(Faults(bulk=BulkFaults(fail_at=1)))

    assert [troubles.for_operation(store, "orders").fail_at for store in stores] == [1, 1]


def test_setting_faults_begins_to_count_anew(store):
    troubles = Troubles()
    once = Faults(bulk=BulkFaults(fail_at=1, times=1), api=ApiFaults(status=500, times=1))
    seen = []

    for _ in range(2):
        troubles.set_faults(store, once)
        seen += [
            (troubles.for_operation(store, "orders").fail_at, troubles.for_request(store, NAMES).status)
            for _ in range(2)
        ]

    assert seen == [(1, 500), (None, None)] * 2
    assert troubles.api(store)[1] == 2


def test_operations_over_other_resources_are_not_counted():
    trouble = Trouble(Faults(bulk=BulkFaults(resources=["orders"], times=1, fail_at=1)), 0)

    met = [trouble.for_operation(resource).fail_at for resource in ("customers", None, "orders", "orders")]

    assert met == [None, None, 1, None]


def test_the_seed_draws_the_share():
    def drawn(seed):
        return hits(Trouble(Faults(seed=seed, api=ApiFaults(status=500, share=0.4)), 0))

    assert drawn(1) == drawn(1) != drawn(2)
    assert 20 < sum(drawn(1)) < 60


def test_only_what_went_wrong_counts_for_how_often():
    found = hits(Trouble(Faults(seed=3, api=ApiFaults(status=500, share=0.2, times=5)), 0))

    assert sum(found) == 5


@pytest.mark.parametrize(("names", "met"), [({"Counted"}, True), ({"ordersCount", "x"}, True), ({"shop"}, False)])
def test_requests_are_known_by_their_names(names, met):
    trouble = Trouble(Faults(api=ApiFaults(status=500, only=["Counted", "ordersCount"])), 0)

    assert hits(trouble, 1, frozenset(names)) == [met]


def test_settings_that_hold_for_all_requests_befall_no_single_one():
    assert not ApiFaults(unapproved=["Customer"], version="2026-01", plan="Plus", drained=True).meddles


def test_downloads_are_counted_by_operation():
    troubles = Troubles()

    assert [troubles.count_download(1), troubles.count_download(1), troubles.count_download(2)] == [0, 1, 0]
    assert troubles.downloads(1) == 2
