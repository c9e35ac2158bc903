"""What the operators' pages share: the frame around them, asking before a deed, and the record of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from babel.dates import format_timedelta
from flask import make_response, render_template, request

from shopify_app import operators
from shopify_app.web.guards import current_operator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flask import Response
    from sqlalchemy.orm import Session

LONGEST_REASON = 500  # characters


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked before a deed is done. The form posts ``fields`` to the address that asked.

    ``title`` is what would be done, ``text`` what would come of it, ``button`` the same in a few words.
    """

    title: str
    text: str
    button: str
    back: str
    facts: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[tuple[str, str]] = ()
    grave: bool = False


def page(template: str, **context: object) -> str:
    """Render a page of the operators' console."""
    return render_template(template, operator=current_operator(), age=age, stamp=stamp, **context)


def live_page(template: str, **context: object) -> Response:
    """Render a page that keeps itself up to date, or answer 304 to a browser that shows just this.

    All that is shown has to follow from ``context``, whose ``repr`` must say it.
    """
    version = hashlib.sha256(repr(sorted(context.items())).encode()).hexdigest()[:24]
    same = version in request.if_none_match
    response = make_response("" if same else page(template, version=f'"{version}"', **context), 304 if same else 200)
    response.set_etag(version)
    return response


def ask(question: Question) -> str:
    """Render the page on which an operator confirms a deed, and may say why."""
    return page("operator/confirm.html", ask=question, longest=LONGEST_REASON)


def note(
    session: Session, action: str, details: Mapping[str, object] | None = None, *, tenant_id: int | None = None
) -> None:
    """Record a deed of the operator who is logged in, and why they did it if the form says so.

    Belongs into the transaction of the deed.
    """
    operators.audit(
        session,
        operator=current_operator().email,
        action=action,
        tenant_id=tenant_id,
        reason=request.form.get("reason", "").strip()[:LONGEST_REASON] or None,
        details=dict(details) if details else None,
    )


def is_refresh() -> bool:
    """Whether an open page asks for its news, which is no new look at it."""
    return request.headers.get("X-Requested-With") == "fetch"


def age(moment: datetime) -> str:
    """Return how long ago that was: ``3 hours``."""
    return format_timedelta(datetime.now(UTC) - moment, granularity="second", locale="en")


def stamp(moment: datetime | None) -> str:
    """Return a moment as operators compare it with logs."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "–"
