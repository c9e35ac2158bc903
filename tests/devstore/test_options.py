"""The devstore's command line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from devstore.faults import Faults
from devstore.options import DEFAULT_SHOPS, AppRegistration, Options, from_args


def test_no_arguments_give_the_documented_store():
    options = from_args([])

    assert (options.customers, options.products, options.orders) == (2000, 200, 10_000)
    assert options.shops == DEFAULT_SHOPS
    assert options.origin == "http://localhost:9292"


def test_every_argument_arrives():
    options = from_args(
        [
            *("--data", "/tmp/x", "--port", "7", "--host", "h", "--seed", "3", "--shop", "a.myshopify.com"),
            *("--customers", "5", "--products", "6", "--orders", "8", "--time-scale", "60", "--now", "2026-01-02"),
            *("--client-id", "id", "--client-secret", "s", "--previous-secret", "p", "--app-name", "N"),
            *("--app-url", "http://app/", "--scopes", "read_orders, read_products", "--optional-scopes", ""),
            *("--fault", "drop=0.1", "--fault", 'topics=["orders/create"]'),
        ]
    )

    app = AppRegistration(
        client_id="id",
        client_secret="s",
        previous_secret="p",
        name="N",
        url="http://app",
        redirect_urls=("http://app/auth/callback",),
        scopes=("read_orders", "read_products"),
        optional_scopes=(),
    )
    assert options == Options(
        data=Path("/tmp/x"),
        host="h",
        port=7,
        seed=3,
        shops=("a.myshopify.com",),
        customers=5,
        products=6,
        orders=8,
        time_scale=60.0,
        now=datetime(2026, 1, 2, tzinfo=UTC),
        faults=Faults(drop=0.1, topics=["orders/create"]),
        app=app,
    )


def test_secrets_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("DEVSTORE_CLIENT_SECRET", "from outside")
    monkeypatch.setenv("DEVSTORE_PREVIOUS_SECRET", "older")

    app = from_args([]).app

    assert (app.client_secret, app.previous_secret) == ("from outside", "older")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("--orders", "0"),
        ("--time-scale", "0"),
        ("--customers", "many"),
        ("--now", "soon"),
        ("--fault", "drop=2"),
        ("--fault", "drop"),
    ],
)
def test_a_malformed_argument_ends_the_process_and_is_named(argument, value, capsys):
    with pytest.raises(SystemExit):
        from_args([argument, value])

    assert argument in capsys.readouterr().err


def test_the_oldest_unrevoked_secret_signs_webhooks():
    assert AppRegistration(client_secret="new").signing_secret == "new"
    assert AppRegistration(client_secret="new", previous_secret="old").signing_secret == "old"
