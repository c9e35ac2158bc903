"""Dead letters, for operators: what could not be applied, why, and trying it again or giving it up. On record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, flash, make_response, redirect, request, url_for
from werkzeug.exceptions import NotFound

from shopify_app import inbox, standings
from shopify_app.database import directory
from shopify_app.inbox import Choice
from shopify_app.jobs.queues import DRAIN
from shopify_app.runtime import current
from shopify_app.web import console
from shopify_app.web.links import path_with_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response
    from sqlalchemy.orm import Session

blueprint = Blueprint("dead_letters", __name__, url_prefix="/operator/dead-letters")

MOST = 100  # letters on a page
SAW_LETTERS, SAW_LETTER = "looked at the dead letters", "looked at a delivery"
REPLAYED, DISCARDED = "deliveries replayed", "deliveries discarded"
AGAIN, NEVER = "will be applied again", "will not be applied"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which dead letters a page is about; ``store`` is an address, and ``tenant_ids`` whose it is."""

    store: str
    topic: str
    tenant_ids: tuple[int, ...] | None

    @property
    def choice(self) -> Choice:
        """The same, as the inbox takes it."""
        return Choice(tenant_ids=self.tenant_ids, topic=self.topic or None, state="dead")

    @property
    def query(self) -> dict[str, str]:
        """The same, as an address carries it."""
        return {name: value for name, value in (("store", self.store), ("topic", self.topic)) if value}


@blueprint.get("")
def listing() -> str:
    """List the dead letters, the latest first, of one store or topic if asked."""
    with directory() as session:
        wanted = _filter(session, request.args)
        topics = inbox.dead_topics(session)
        stores = standings.addresses(session, {one.tenant_id for one in topics})
        letters = inbox.dead(session, wanted.choice, limit=MOST)
        _audit(session, SAW_LETTERS, wanted)
    meant = [one for one in topics if _is_meant(one, wanted)]
    return console.page(
        "operator/dead_letters.html",
        wanted=wanted,
        letters=letters,
        count=sum(one.dead for one in meant),
        stores=sorted(set(stores.values())),
        topics=sorted({one.topic for one in topics}),
        most=MOST,
    )


@blueprint.get("/<int:letter_id>")
def letter(letter_id: int) -> str:
    """Show one delivery with its traceback, and without its body, which is about people."""
    with directory() as session:
        try:
            found = inbox.one(session, letter_id)
        except inbox.UnknownLetter as error:
            raise NotFound(str(error)) from error
        console.note(session, SAW_LETTER, {"ids": [letter_id]}, tenant_id=found.tenant_id)
    return console.page("operator/dead_letter.html", letter=found)


@blueprint.post("/<int:letter_id>/replay")
def replay(letter_id: int) -> Response:
    """Let one delivery be applied again."""
    return _change_one(letter_id, REPLAYED, AGAIN)


@blueprint.post("/<int:letter_id>/discard")
def discard(letter_id: int) -> Response:
    """Give one delivery up for good."""
    return _change_one(letter_id, DISCARDED, NEVER)


@blueprint.get("/replay")
def ask_to_replay() -> str:
    """Ask whether the dead letters of one store, of one topic or of all are to be applied again."""
    return _ask("Replay", "They are applied again. What they say changes nothing where something newer is known.")


@blueprint.get("/discard")
def ask_to_discard() -> str:
    """Ask whether the dead letters of one store, of one topic or of all are to be given up."""
    return _ask("Discard", "They are given up, and what they told is missing. Replaying one takes it back.", grave=True)


@blueprint.post("/replay")
def replay_all() -> Response:
    """Let the dead letters of one store, of one topic or of all be applied again, a thousand at a time."""
    return _change_all(REPLAYED, AGAIN)


@blueprint.post("/discard")
def discard_all() -> Response:
    """Give up the dead letters of one store, of one topic or of all, a thousand at a time."""
    return _change_all(DISCARDED, NEVER)


def _ask(verb: str, text: str, *, grave: bool = False) -> str:
    with directory() as session:
        wanted = _filter(session, request.args)
        count = sum(one.dead for one in inbox.dead_topics(session) if _is_meant(one, wanted))
    number = f"{count:,} {'delivery' if count == 1 else 'deliveries'}"
    return console.ask(
        console.Question(
            title=f"{verb} {number}?",
            text=text,
            button=f"{verb} {number}",
            back=path_with_query(url_for(".listing"), wanted.query.items()),
            facts={"Store": wanted.store or "All stores", "Topic": wanted.topic or "All topics"},
            fields=tuple(wanted.query.items()),
            grave=grave,
        )
    )


def _change_one(letter_id: int, deed: str, said: str) -> Response:
    try:
        with directory() as session:
            if deed == REPLAYED:
                inbox.replay_one(session, letter_id)
            else:
                inbox.discard_one(session, letter_id, now=datetime.now(UTC))
            console.note(session, deed, {"ids": [letter_id]})
    except (inbox.UnknownLetter, inbox.Refused) as error:
        flash(str(error), "problem")
    else:
        flash(f"Delivery {letter_id} {said}.", "done")
    return _back(deed, {})


def _change_all(deed: str, said: str) -> Response:
    change = inbox.replay if deed == REPLAYED else inbox.discard
    with directory() as session:
        wanted = _filter(session, request.form)
        done = change(session, wanted.choice, now=datetime.now(UTC))
        left = inbox.count(session, wanted.choice, most=done.forgotten + 1) > done.forgotten
        if done.changed:
            _audit(session, deed, wanted, changed=done.changed)
    flash(_summary(done, said, left=left), "done" if done.changed else "problem")
    return _back(deed, wanted.query)


def _summary(done: inbox.Slice, said: str, *, left: bool) -> str:
    sentences = [f"{done.changed:,} {'delivery' if done.changed == 1 else 'deliveries'} {said}."]
    if done.forgotten:
        sentences.append(f"{done.forgotten:,} were passed over: their bodies were forgotten.")
    if left:
        sentences.append("There are more: do it once more.")
    return " ".join(sentences)


def _back(deed: str, query: Mapping[str, Any]) -> Response:
    if deed == REPLAYED:
        current().queues.nudge(DRAIN)
    return make_response(redirect(url_for("dead_letters.listing", **query), 303))


def _filter(session: Session, given: Any) -> Filter:  # noqa: ANN401 - what werkzeug made of a query or a form
    store, topic = given.get("store", "").strip(), given.get("topic", "").strip()
    if not store:
        return Filter(store="", topic=topic, tenant_ids=None)
    try:
        return Filter(store=store, topic=topic, tenant_ids=standings.tenants_at(session, store))
    except standings.UnknownStore as error:
        raise NotFound(str(error)) from error


def _is_meant(one: inbox.DeadTopic, wanted: Filter) -> bool:
    of_store = wanted.tenant_ids is None or one.tenant_id in wanted.tenant_ids
    return of_store and wanted.topic in {"", one.topic}


def _audit(session: Session, action: str, wanted: Filter, **details: object) -> None:
    single = wanted.tenant_ids[0] if wanted.tenant_ids and len(wanted.tenant_ids) == 1 else None
    console.note(session, action, {**wanted.query, **details}, tenant_id=single)
