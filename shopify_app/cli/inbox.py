"""The inbox of webhook deliveries: how it does, what died in it, and applying deliveries again or giving them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

import click
from flask.cli import AppGroup

from shopify_app import inbox, operators, standings
from shopify_app.cli.tables import table
from shopify_app.cli.tenants import operator, store_of
from shopify_app.database import directory
from shopify_app.inbox import Choice
from shopify_app.jobs.queues import DRAIN
from shopify_app.runtime import current

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shopify_app.inbox import Counts, Letter, Settled, Slice

Answer = TypeVar("Answer")

NOTHING, NONE = inbox.Counts(), inbox.Settled()
DAY = timedelta(days=1)
MANY = 1_000  # deliveries that are changed without asking
READ = "delivery's body read"
FORGOTTEN = "The body was forgotten: it told of somebody who was erased."
STATS = ("STORE", "WAITING", "RETRYING", "DEAD", "QUARANTINED", "APPLIED", "REPEATS", "OLDEST WAITING")

group = AppGroup("inbox", help="The inbox of webhook deliveries.")
STORE = click.option("--store", metavar="SHOP", help="Of this store only.")
TOPIC = click.option("--topic", help="Of this topic only.")
IDS = click.option("--id", "ids", type=int, multiple=True, help="This delivery; may be given several times.")
YES = click.option("--yes", is_flag=True, help="Do not ask.")
LIMIT = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")


@dataclass(frozen=True)
class Deed:
    """What is done to many deliveries: as the audit record calls it, as it is told, and a slice of it."""

    entry: str
    said: str
    step: Callable[..., Slice]


REPLAY = Deed("deliveries replayed", "will be applied again", inbox.replay)
DISCARD = Deed("deliveries discarded", "will not be applied", inbox.discard)


class Moment(click.ParamType[datetime]):
    """A time as ISO 8601 writes it; in UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time, or say what one looks like."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-27T08:00:00Z.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@group.command()
@STORE
def stats(store: str | None) -> None:
    """Show what waits, what died, and what became of the deliveries that arrived in the last 24 hours, by store."""
    with directory() as session:
        rows = _tallies(session, datetime.now(UTC), _tenants(session, store))
    for line in table(STATS, rows):
        click.echo(line)


@group.command()
@STORE
@TOPIC
@LIMIT
def dead(store: str | None, topic: str | None, limit: int) -> None:
    """List the deliveries that were given up after their last attempt, the latest first."""
    with directory() as session:
        choice = Choice(tenant_ids=_tenants(session, store), topic=topic)
        found = inbox.dead(session, choice, limit=limit)
    _list(found, "There are no dead letters.")


@group.command()
@STORE
@LIMIT
def quarantine(store: str | None, limit: int) -> None:
    """List the deliveries that belong to no store, because it is not known or the body proves nothing."""
    with directory() as session:
        found = inbox.quarantined(session, shop_domain=store_of(store) if store else None, limit=limit)
    _list(found, "The quarantine is empty.")


@group.command()
@click.argument("delivery_id", metavar="ID", type=int)
@click.option(
    "--body", "with_body", is_flag=True, help="The body too, which tells of people; kept in the audit record."
)
def show(delivery_id: int, *, with_body: bool) -> None:
    """Show one delivery: what was kept of its headers, its times, and what became of it."""
    with directory() as session:
        letter = _found(inbox.one, session, delivery_id)
        raw = inbox.body(session, delivery_id) if with_body else b""
        if with_body:
            details = {"ids": [delivery_id]}
            operators.audit(session, operator=operator(), action=READ, tenant_id=letter.tenant_id, details=details)
    for name, value in _facts(letter):
        click.echo(f"{name:<14}{value}")
    if letter.traceback:
        click.echo(f"\n{letter.traceback.rstrip()}")
    if letter.forgotten or with_body:
        click.echo("\n" + (FORGOTTEN if letter.forgotten else raw.decode(errors="backslashreplace")))


@group.command()
@IDS
@STORE
@click.option("--all-stores", is_flag=True, help="Of every store.")
@click.option("--since", type=Moment(), help="That arrived at this time or later.")
@click.option("--until", type=Moment(), help="That arrived at this time or before.")
@TOPIC
@click.option("--dead", "state", flag_value="dead", help="Only those that were given up.")
@click.option("--discarded", "state", flag_value="discarded", help="Only those that were discarded.")
@YES
def replay(
    *,
    ids: tuple[int, ...],
    store: str | None,
    all_stores: bool,
    since: datetime | None,
    until: datetime | None,
    topic: str | None,
    state: str | None,
    yes: bool,
) -> None:
    """Apply deliveries again. What they say changes nothing where something newer is known."""
    choice = Choice(topic=topic, since=since, until=until, state=state)
    _check(ids, store, all_stores=all_stores, choice=choice)
    if ids:
        _each(REPLAY, ids, inbox.replay_one)
    else:
        _all(REPLAY, choice, store, yes=yes)
    current().queues.nudge(DRAIN)


@group.command()
@IDS
@STORE
@click.option("--all-stores", is_flag=True, help="Of every store.")
@TOPIC
@click.option("--dead", is_flag=True, help="Those that were given up; needed unless --id says which.")
@YES
def discard(
    *, ids: tuple[int, ...], store: str | None, all_stores: bool, topic: str | None, dead: bool, yes: bool
) -> None:
    """Give deliveries up for good; replaying them takes it back."""
    choice = Choice(topic=topic, state="dead" if dead else None)
    _check(ids, store, all_stores=all_stores, choice=choice)
    if ids:
        _each(DISCARD, ids, partial(inbox.discard_one, now=datetime.now(UTC)))
        return
    if not dead:
        raise click.UsageError("Only dead letters are discarded together: add --dead.")
    _all(DISCARD, choice, store, yes=yes)


def _check(ids: Sequence[int], store: str | None, *, all_stores: bool, choice: Choice) -> None:
    if [bool(ids), store is not None, all_stores].count(True) != 1:
        raise click.UsageError("Give one of --id, --store and --all-stores.")
    if ids and choice != Choice():
        raise click.UsageError("--id says which deliveries are meant; nothing else chooses beside it.")


def _each(deed: Deed, ids: Sequence[int], change: Callable[[Session, int], None]) -> None:
    """Change deliveries one by one: all of them or, where one cannot be, none."""
    chosen = sorted(set(ids))
    with directory() as session:
        for delivery_id in chosen:
            _found(change, session, delivery_id)
        operators.audit(session, operator=operator(), action=deed.entry, details={"ids": chosen})
    click.echo(f"{_deliveries(len(chosen))} {deed.said}.")


def _all(deed: Deed, choice: Choice, store: str | None, *, yes: bool) -> None:
    """Change the deliveries of a choice, slice by slice, each in a transaction with its entry in the audit record."""
    now, after = datetime.now(UTC), 0
    with directory() as session:
        choice = replace(choice, tenant_ids=_tenants(session, store))
        many = inbox.count(session, choice, most=MANY + 1) > MANY
    if many and not yes:
        click.confirm(f"These are more than {MANY:,} deliveries. Go on?", abort=True)
    changed = forgotten = 0
    while True:
        with directory() as session:
            done = deed.step(session, choice, now=now, after=after)
            if done.changed:
                _audit(session, deed, choice, store, done.changed)
        changed, forgotten = changed + done.changed, forgotten + done.forgotten
        if done.last_id is None:
            break
        after = done.last_id
    click.echo(f"{_deliveries(changed)} {deed.said}.")
    if forgotten:
        click.echo(f"Passed over, because the body was forgotten: {_deliveries(forgotten)}.")


def _audit(session: Session, deed: Deed, choice: Choice, store: str | None, changed: int) -> None:
    asked = {"store": store, "topic": choice.topic, "state": choice.state, "since": choice.since, "until": choice.until}
    details = {name: str(value) for name, value in asked.items() if value is not None}
    single = choice.tenant_ids[0] if choice.tenant_ids and len(choice.tenant_ids) == 1 else None
    entry = {**details, "changed": changed}
    operators.audit(session, operator=operator(), action=deed.entry, tenant_id=single, details=entry)


def _tenants(session: Session, store: str | None) -> tuple[int, ...] | None:
    """Return whose deliveries are meant; None: everybody's."""
    if store is None:
        return None
    try:
        return standings.tenants_at(session, store_of(store))
    except standings.UnknownStore as error:
        raise click.ClickException(str(error)) from error


def _found(ask: Callable[[Session, int], Answer], session: Session, delivery_id: int) -> Answer:
    """Ask about one delivery, or change it; what is not there or cannot be is told without a traceback."""
    try:
        return ask(session, delivery_id)
    except (inbox.UnknownLetter, inbox.Refused) as error:
        raise click.ClickException(str(error)) from error


def _tallies(session: Session, now: datetime, tenant_ids: tuple[int, ...] | None) -> list[list[str]]:
    """Return the table's rows: stores with something to tell, then what is nobody's, then all together."""
    counts, settled, strays = inbox.counts(session), inbox.settled_since(session, now - DAY), inbox.strays(session)
    whole = _tally("all", inbox.total(counts.values()), inbox.settled(settled.values()), sum(strays.values()), now)
    shown = {*counts, *settled} if tenant_ids is None else set(tenant_ids)
    rows = [
        _tally(store, counts.get(one, NOTHING), settled.get(one, NONE), strays.pop(store, 0), now)
        for one, store in sorted(standings.addresses(session, shown).items(), key=itemgetter(1))
    ]
    if tenant_ids is not None:
        return rows
    return [*rows, _tally("(other stores)", NOTHING, NONE, sum(strays.values()), now), whole]


def _tally(store: str, counts: Counts, settled: Settled, strays: int, now: datetime) -> list[str]:
    numbers = (counts.waiting, counts.retrying, counts.dead, strays, settled.applied, settled.repeats)
    lag = "–" if counts.oldest_at is None else f"{max((now - counts.oldest_at).total_seconds(), 0):,.0f} s"
    return [store, *map(str, numbers), lag]


def _list(found: Sequence[Letter], nothing: str) -> None:
    rows = [
        (str(one.id), one.shop_domain, one.topic, str(one.attempts), _text(one.received_at), _text(one.error))
        for one in found
    ]
    for line in table(("ID", "STORE", "TOPIC", "ATTEMPTS", "RECEIVED", "ERROR"), rows) if rows else [nothing]:
        click.echo(line)


def _facts(letter: Letter) -> list[tuple[str, str]]:
    facts: dict[str, object] = {
        "id": letter.id,
        "store": letter.shop_domain,
        "state": letter.state,
        "topic": letter.topic,
        "webhook id": letter.webhook_id,
        "event id": letter.event_id,
        "api version": letter.api_version,
        "triggered": letter.triggered_at,
        "received": letter.received_at,
        "attempts": letter.attempts,
        "next attempt": letter.retry_at,
        "given up": letter.dead_at,
        "settled": letter.processed_at,
        "error": letter.error,
    }
    return [(name, _text(value)) for name, value in facts.items()]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return "–" if value is None else str(value)


def _deliveries(number: int) -> str:
    return f"{number:,} {'delivery' if number == 1 else 'deliveries'}"
