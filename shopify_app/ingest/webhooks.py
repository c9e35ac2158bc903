"""A batch of webhook deliveries of one tenant into its tables and its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_app.ingest import baskets, customers, events, ledger, orders, products, refunds, tombstones
from shopify_app.ingest.batch import Batch
from shopify_app.ingest.freshness import newest
from shopify_app.ingest.outcome import Outcome, WebhookBody
from shopify_app.ingest.reading import read
from shopify_app.ingest.staging import Row, Target, accepted, bury, merge_marked, put, stage_text
from shopify_app.models import Tenant
from shopify_app.shopify.scalars import present


def apply_webhooks(
    session: Session, tenant: Tenant, deliveries: Sequence[WebhookBody], now: datetime, key: bytes
) -> Outcome:
    """Apply deliveries of any of ``TOPICS``; in whatever order they come, the newest of each entity is kept.

    Raises PayloadRejected for the first body that cannot be mapped; nothing has been written then.
    """
    return apply_batch(session, tenant, read(deliveries), now, key)


def apply_batch(
    session: Session, tenant: Tenant, batch: Batch, now: datetime, key: bytes, *, mark: bool = True
) -> Outcome:
    """Apply what was read. What it tells of customers who were erased is left out; ``key`` is that of the tombstones.

    What repeats an event that was applied before is left out too, and named in the outcome. Without ``mark`` it is the
    caller who brings the totals of the outcome's days up to date, in this transaction.
    """
    repeats = events.repeats(session, tenant.id, batch.told)
    if repeats:
        batch = read(delivery for delivery in batch.deliveries if delivery.id not in repeats)
    erased = tombstones.find(session, tenant.id, key, batch.people())
    if erased:
        batch.leave_out(erased)
    told = frozenset(delivery.id for delivery in batch.deliveries if erased and erased.told_by(delivery.payload))
    outcome = Outcome(told_of_erased=told, repeats=frozenset(repeats))
    outcome += _apply_customers(session, tenant.id, batch, now) + _apply_products(session, tenant.id, batch, now)
    return outcome + _apply_sales(session, tenant, batch, now, mark=mark)


def _apply_customers(session: Session, tenant_id: int, batch: Batch, now: datetime) -> Outcome:
    entities = newest(batch.customers)
    rows = [customers.webhook_row(body, version) for version, body in entities.values()]
    written = len(put(session, tenant_id, customers.FROM_WEBHOOK, rows, now))
    stale = len(rows) - written
    for target, told in (
        (customers.EMAIL_CONSENTS, batch.email_consents),
        (customers.SMS_CONSENTS, batch.sms_consents),
        (customers.PURCHASES, batch.purchases),
    ):
        written += len(put(session, tenant_id, target, _latest_told(told), now))
    changes = sorted(batch.tags, key=lambda change: (change.occurred_at is not None, change.occurred_at))
    written += customers.change_tags(session, tenant_id, changes, now)
    written += customers.keep(session, tenant_id, batch.kept_customers, now)
    written += _bury(session, tenant_id, batch, customers.FROM_WEBHOOK, now)
    return Outcome(rows_written=written, stale=stale)


def _apply_products(session: Session, tenant_id: int, batch: Batch, now: datetime) -> Outcome:
    written, stale = products.apply_products(session, tenant_id, newest(batch.products), now)
    return Outcome(written + _bury(session, tenant_id, batch, products.FROM_WEBHOOK, now), stale)


def _apply_sales(session: Session, tenant: Tenant, batch: Batch, now: datetime, *, mark: bool) -> Outcome:
    """Apply orders and what happens to them, then carts and checkouts, and book what changed."""
    written = _apply_orders(session, tenant.id, batch, now)
    count, refunded = refunds.apply_refunds(session, tenant.id, [*batch.refunds, *written.refunds], now)
    edit_rows, edited = refunds.apply_edits(session, tenant.id, batch.edits, now)
    touched = written.changed | refunded | (edited if edit_rows else set())
    touched |= customers.merge_customers(session, tenant.id, batch.merged_customers, now)
    count += edit_rows + _bury(session, tenant.id, batch, orders.FROM_WEBHOOK, now)
    touched |= {int(number) for number in batch.deleted.get("orders", {})}
    baskets_written, baskets_stale = _apply_baskets(session, tenant.id, batch, touched, now)
    return Outcome(
        rows_written=written.rows + count + baskets_written,
        stale=written.stale + baskets_stale,
        days=ledger.book(session, tenant, touched, new=written.new, mark=mark),
        details_wanted=frozenset(edited),
    )


def _apply_orders(session: Session, tenant_id: int, batch: Batch, now: datetime) -> orders.Written:
    """Write the orders with their lines that are newer than what is held."""
    if not batch.order_texts:
        return orders.Written()
    stage_text(session, orders.FROM_WEBHOOK, batch.order_texts.orders)
    marked = {int(number): new for number, new in merge_marked(session, tenant_id, orders.FROM_WEBHOOK, now)}
    entities, bodies = batch.newest_orders, batch.newest_orders
    if len(marked) < len(entities):
        current = accepted(session, tenant_id, orders.FROM_WEBHOOK)
        bodies = {number: told for number, told in entities.items() if number in current}
    texts = batch.order_texts if bodies is entities else orders.OrderTexts.of(bodies)
    new = {number for number, is_new in marked.items() if is_new}
    rows, changed = orders.apply_lines(session, tenant_id, bodies, texts, now, new=new)
    if marked:
        customers.follow_merges(session, tenant_id, sorted(marked))
    return orders.Written(
        rows=len(marked) + rows,
        stale=len(entities) - len(bodies),
        changed=set(marked) | changed,
        new=frozenset(new),
        refunds=[refund for _, body in bodies.values() for refund in present(body.refunds)],
    )


def _apply_baskets(session: Session, tenant_id: int, batch: Batch, touched: set[int], now: datetime) -> tuple[int, int]:
    """Write carts and checkouts, and what becomes of them; what is too old to be written tells when they were seen."""
    carts = [baskets.cart_row(body, version) for version, body in newest(batch.carts).values()]
    checkouts = [baskets.checkout_row(body, version) for version, body in newest(batch.checkouts).values()]
    written = len(put(session, tenant_id, baskets.CARTS, carts, now))
    written += len(put(session, tenant_id, baskets.CHECKOUTS, checkouts, now))
    stale = len(carts) + len(checkouts) - written
    written += _bury(session, tenant_id, batch, baskets.CHECKOUTS, now)
    written += baskets.bury_by_number(session, tenant_id, batch.deleted_checkout_numbers)
    seen = baskets.Touched(
        orders=touched,
        carts=[baskets.cart_sighting(token, body, version) for token, version, body in batch.carts],
        checkouts=[baskets.checkout_sighting(token, body, version) for token, version, body in batch.checkouts],
        deleted=batch.deleted.get("checkouts", ()),
        buried=batch.deleted_checkout_numbers,
    )
    return written + baskets.settle(session, tenant_id, seen, now), stale


def _bury(session: Session, tenant_id: int, batch: Batch, target: Target, now: datetime) -> int:
    return bury(session, tenant_id, target, batch.deleted.get(target.table, {}), now)


def _latest_told(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield one row per customer, the one told last; the third field of a row is when it was told."""
    return iter({row[0]: row for row in sorted(rows, key=lambda row: row[2])}.values())
