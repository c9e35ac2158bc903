"""A token that Shopify refuses: renewed once, the call repeated, and disowned when that does not help."""

from dataclasses import dataclass, field

import pytest

from shopify_app.shopify import errors
from shopify_app.shopify.client import ATTEMPTS, AdminClient
from tests.shopify.scripted import Reply

QUERY = "{ shop { name } }"
MUTATION = "mutation Leave { appUninstall { app { id } } }"
DATA = {"some": "data"}


@dataclass
class Tokens:
    """Renews a token to `next`, or fails with it."""

    next: str | errors.ShopifyError = "shpat_new"
    refused: list[str] = field(default_factory=list)
    disowned: list[str] = field(default_factory=list)

    def instead_of(self, refused):
        self.refused.append(refused)
        if isinstance(self.next, errors.ShopifyError):
            raise self.next
        return self.next

    def disown(self, refused, error):
        assert "401" in str(error)
        self.disowned.append(refused)


@pytest.fixture
def tokens():
    return Tokens()


@pytest.fixture
def renewing(admin, tokens):
    admin.tokens = tokens
    return admin


def sent(server):
    return [asked.headers["X-Shopify-Access-Token"] for asked in server.asked]


@pytest.mark.parametrize("document", [QUERY, MUTATION])
def test_call_is_repeated_once_with_the_renewed_token(server, renewing: AdminClient, tokens, waits, document):
    server.replies = [Reply(status=401), Reply({"data": DATA}), Reply({"data": DATA})]

    assert renewing.execute(document) == DATA
    assert renewing.execute(document) == DATA
    assert sent(server) == ["shpat_0123", "shpat_new", "shpat_new"]
    assert (tokens.refused, tokens.disowned, waits) == (["shpat_0123"], [], [])


@pytest.mark.parametrize("document", [QUERY, MUTATION])
def test_second_refusal_disowns_the_renewed_token(server, renewing, tokens, document):
    server.otherwise = lambda _asked: Reply(status=401)

    with pytest.raises(errors.Unauthorized):
        renewing.execute(document)

    assert sent(server) == ["shpat_0123", "shpat_new"]
    assert tokens.disowned == ["shpat_new"]


@pytest.mark.parametrize("failure", [errors.RefreshRefused("dead"), errors.Unavailable("busy")])
def test_token_that_cannot_be_renewed_says_so(server, renewing, tokens, failure):
    server.replies = [Reply(status=401)]
    tokens.next = failure

    with pytest.raises(type(failure), match=str(failure)):
        renewing.execute(QUERY)

    assert len(server.asked) == 1


def test_trouble_after_the_renewal_is_retried_as_ever_and_renews_no_more(server, renewing, tokens):
    server.replies = [Reply(status=503), Reply(status=401), Reply(status=503), Reply({"data": DATA})]

    assert renewing.execute(QUERY) == DATA
    assert tokens.refused == ["shpat_0123"]


def test_calls_end_whatever_is_answered(server, renewing):
    server.replies = [Reply(status=503)] * (ATTEMPTS - 1) + [Reply(status=401)]
    server.otherwise = lambda _asked: Reply(status=503)

    with pytest.raises(errors.Unavailable):
        renewing.execute(QUERY)

    assert len(server.asked) == 2 * ATTEMPTS


def test_client_that_cannot_renew_tells_the_refusal(server, admin):
    server.replies = [Reply(status=401)]

    with pytest.raises(errors.Unauthorized):
        admin.execute(QUERY)

    assert len(server.asked) == 1
