"""The app's own file at Shopify, ``shopify.app.toml``: the part that follows from the table of topics.

What it subscribes to goes to every store that installs the app. Compliance topics can be set only there; the others
stand there or are registered store by store, never both, or each change would arrive twice.
https://shopify.dev/docs/apps/build/cli-for-apps/app-configuration#webhooks
"""

from __future__ import annotations

import json
from itertools import groupby

from shopify_app.shopify.topics import TOPICS, Topic

BEGIN = "  # >>> webhooks: written by `flask webhooks toml` from the table of topics; changes here are lost"
END = "  # <<< webhooks"
APP = "app"


class MarkersMissing(Exception):
    """The file has lost the two lines between which the subscriptions stand."""

    def __init__(self) -> None:
        super().__init__(f"The file must hold the lines {BEGIN.strip()!r} and {END.strip()!r}, once each.")


def written(text: str, subscriptions: str) -> str:
    """Return the file with its subscriptions renewed; ``subscriptions`` says who makes the others: app or shop.

    Raises:
        MarkersMissing: where they stand is not marked.
    """
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _between, end, after = rest.partition(f"{END}\n")
    if not begin or not end or BEGIN in rest or END in after:
        raise MarkersMissing
    return f"{before}{begin}{_tables(subscriptions)}{end}{after}"


def _tables(subscriptions: str) -> str:
    topics = [topic for topic in TOPICS.values() if subscriptions == APP or not topic.subscribable]
    return "".join(_table(resource, list(group)) for resource, group in groupby(topics, lambda topic: topic.resource))


def _table(resource: str, topics: list[Topic]) -> str:
    name = "topics" if topics[0].subscribable else "compliance_topics"
    listed = "".join(f"    {json.dumps(topic.name)},\n" for topic in topics)
    return f'  [[webhooks.subscriptions]]\n  {name} = [\n{listed}  ]\n  uri = "/webhooks/{resource}"\n'
