"""What a devstore is started with: where it listens, how large its stores are, which app it knows."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from devstore.faults import NO_FAULTS, Faults, read_assignments

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_SHOPS = ("aurora-outfitters.myshopify.com", "birch-and-bloom.myshopify.com")
SECRET_VARIABLE = "DEVSTORE_CLIENT_SECRET"  # noqa: S105 (the name of a variable)
PREVIOUS_SECRET_VARIABLE = "DEVSTORE_PREVIOUS_SECRET"  # noqa: S105 (the name of a variable)


@dataclass(frozen=True, kw_only=True)
class AppRegistration:
    """The app as its developer registered it: what Shopify keeps in the Dev Dashboard.

    ``url`` is the App URL without a trailing slash; ``previous_secret`` is set while a rotation is under way.
    """

    client_id: str = "devstore-client-id"
    client_secret: str = "devstore-client-secret"  # noqa: S105 (known to everybody, and of no use elsewhere)
    previous_secret: str | None = None
    name: str = "App in development"
    url: str = "http://127.0.0.1:8000"
    redirect_urls: tuple[str, ...] = ("http://127.0.0.1:8000/auth/callback",)
    scopes: tuple[str, ...] = ("read_customers", "read_orders", "read_products")
    optional_scopes: tuple[str, ...] = ("read_all_orders",)

    @property
    def signing_secret(self) -> str:
        """The oldest unrevoked secret, with which Shopify signs webhooks."""
        return self.previous_secret or self.client_secret


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything a devstore is started with.

    The first shop gets the full ``customers``, ``products`` and ``orders``, the others a tenth of each.
    Waits between delivery attempts are divided by ``time_scale``. ``now`` is the end of the generated
    history (the start time when None). ``faults`` is what goes wrong with the webhooks of all stores from the start.
    """

    data: Path
    host: str = "localhost"
    port: int = 9292
    seed: int = 1
    shops: tuple[str, ...] = DEFAULT_SHOPS
    customers: int = 2000
    products: int = 200
    orders: int = 10_000
    time_scale: float = 1.0
    now: datetime | None = None
    faults: Faults = NO_FAULTS
    app: AppRegistration = AppRegistration()

    @property
    def origin(self) -> str:
        """The devstore's own address, without a trailing slash."""
        return f"http://{self.host}:{self.port}"


def from_args(argv: Sequence[str] | None = None) -> Options:
    """Read the command line (``sys.argv`` when None).

    The secrets may come from DEVSTORE_CLIENT_SECRET and DEVSTORE_PREVIOUS_SECRET instead, where a process
    list does not show them. A malformed argument ends the process with a sentence naming it (argparse).
    """
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        faults = read_assignments(args.fault)
    except (ValueError, msgspec.ValidationError) as error:
        parser.error(f"argument --fault: {error}")
    return Options(
        data=args.data,
        host=args.host,
        port=args.port,
        seed=args.seed,
        shops=tuple(args.shop or DEFAULT_SHOPS),
        customers=args.customers,
        products=args.products,
        orders=args.orders,
        time_scale=args.time_scale,
        now=args.now,
        faults=faults,
        app=_registration(args),
    )


def _registration(args: argparse.Namespace) -> AppRegistration:
    app_url: str = args.app_url.rstrip("/")
    return AppRegistration(
        client_id=args.client_id,
        client_secret=args.client_secret,
        previous_secret=args.previous_secret or None,
        name=args.app_name,
        url=app_url,
        redirect_urls=tuple(args.redirect_url or (f"{app_url}/auth/callback",)),
        scopes=_words(args.scopes),
        optional_scopes=_words(args.optional_scopes),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstore", description="A local Shopify to develop against.")
    parser.add_argument("--data", type=Path, default=Path("var/devstore"), help="directory the stores are kept in")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=9292)
    _add_store_arguments(parser)
    _add_app_arguments(parser)
    return parser


def _add_store_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shop", action="append", metavar="DOMAIN", help="a store's domain; repeat for more stores")
    parser.add_argument("--customers", type=_count, default=2000)
    parser.add_argument("--products", type=_count, default=200)
    parser.add_argument("--orders", type=_count, default=10_000)
    parser.add_argument("--time-scale", type=_positive, default=1.0, help="divide the waits between delivery attempts")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME=VALUE", help="a way in which webhooks go wrong; repeat"
    )
    parser.add_argument("--now", type=_instant, default=None, metavar="ISO8601", help="end of the generated history")


def _add_app_arguments(parser: argparse.ArgumentParser) -> None:
    app = AppRegistration()
    secret = os.environ.get(SECRET_VARIABLE, app.client_secret)
    parser.add_argument("--client-id", default=app.client_id)
    parser.add_argument("--client-secret", default=secret)
    parser.add_argument("--previous-secret", default=os.environ.get(PREVIOUS_SECRET_VARIABLE))
    parser.add_argument("--app-name", default=app.name)
    parser.add_argument("--app-url", default=app.url)
    parser.add_argument("--redirect-url", action="append", help="an allowed redirect URL; repeat for more")
    parser.add_argument("--scopes", default=",".join(app.scopes), help="comma separated")
    parser.add_argument("--optional-scopes", default=",".join(app.optional_scopes), help="comma separated")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        message = f"{value} is not at least 1"
        raise argparse.ArgumentTypeError(message)
    return value


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        message = f"{value} is not above 0"
        raise argparse.ArgumentTypeError(message)
    return value


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)
