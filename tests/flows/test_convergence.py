"""Whatever merchants do and whatever happens to their webhooks, what is held ends as what the store has.

Two properties. What was told and not lost is held exactly, in whatever order and however often it came, and however
often the worker died. And whatever was lost, a check makes good, but for what Shopify has no way to ask for.
"""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from tests.flows.convergence import WAITS, Deck, Step
from tests.flows.convergence_hands import made_up_time, read_once
from tests.flows.convergence_runs import DICE, MOST_STEPS, ORIGIN, WORDS, converge

SHORT, LONG = 15, 250
DIE = st.integers(0, DICE)
STEP = st.builds(Step, st.sampled_from(WORDS), st.integers(0, len(WAITS) - 1), DIE, DIE, DIE)
STEPS = st.lists(STEP, min_size=2, max_size=MOST_STEPS)
# The same runs every time, each test its own; `bench/convergence.py` draws anew.
HOW = settings(
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture
def environ(environ):
    return environ | {"SHOPIFY_SHOP_ORIGIN": ORIGIN}


@pytest.fixture
def deck(app, postgres, database, tmp_path):
    url = make_url(postgres.url).set(database=database.name).render_as_string(hide_password=False)
    with made_up_time(), read_once(), psycopg.connect(url, autocommit=True) as superuser:
        yield Deck(app, superuser, tmp_path)


@settings(HOW, max_examples=SHORT)
@given(steps=STEPS)
def test_what_is_held_ends_as_what_the_store_has(deck, steps):
    converge(deck, steps)


@pytest.mark.long
@settings(HOW, max_examples=LONG)
@given(steps=STEPS)
def test_what_is_held_ends_as_what_the_store_has_in_250_runs(deck, steps):
    converge(deck, steps)


@pytest.mark.long
@settings(HOW, max_examples=LONG)
@given(steps=STEPS)
def test_what_is_held_ends_as_what_the_store_has_in_250_more(deck, steps):
    """As many again, drawn from this test's own name, in a process of their own."""
    converge(deck, steps)
