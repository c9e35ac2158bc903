"""What the app may change: its webhook subscriptions, its bulk operations, its own installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devstore import installs
from devstore.graphql import bulk_operations, webhooks

if TYPE_CHECKING:
    from devstore.graphql.context import Context, Fields


def _uninstall(_root: object, context: Context) -> dict[str, Any]:
    """``appUninstall``: the app removes itself; the token that asked is dead afterwards."""
    installs.uninstall(context.store)
    return {"app": context.devstore.options.app, "userErrors": []}


MUTATION: Fields = {
    "appUninstall": _uninstall,
    "bulkOperationCancel": bulk_operations.cancel,
    "bulkOperationRunQuery": bulk_operations.run,
    "webhookSubscriptionCreate": webhooks.create,
    "webhookSubscriptionDelete": webhooks.delete,
    "webhookSubscriptionUpdate": webhooks.update,
}
