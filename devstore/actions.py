"""Everything a merchant or a shopper can do, by name: the table behind the panel and the tests.

An action changes the store, keeps it, and sends exactly the webhooks Shopify would, all with one event id.
"""

from __future__ import annotations

import inspect
import typing
from typing import TYPE_CHECKING, Any

import msgspec

from devstore import actions_baskets as baskets
from devstore import actions_catalogue as catalogue
from devstore import actions_customers as customers
from devstore import actions_orders as orders
from devstore import actions_placing as placing
from devstore.actions_desk import ActionRefused, Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstore.outbox import Outbox
    from devstore.state import Store

__all__ = ["ACTIONS", "ActionRefused", "Desk", "perform"]

ACTIONS: dict[str, Callable[..., msgspec.Struct]] = {
    action.__name__: action
    for action in (
        placing.place_order,
        orders.pay_order,
        orders.fulfill_order,
        orders.edit_order,
        orders.refund_order,
        orders.cancel_order,
        orders.update_order,
        orders.delete_order,
        customers.create_customer,
        customers.update_customer,
        customers.tag_customer,
        customers.merge_customers,
        customers.delete_customer,
        customers.request_customer_data,
        customers.redact_customer,
        catalogue.create_product,
        catalogue.update_product,
        catalogue.delete_product,
        catalogue.update_shop,
        catalogue.redact_shop,
        baskets.fill_cart,
        baskets.start_checkout,
        baskets.update_checkout,
        baskets.finish_checkout,
        baskets.delete_checkout,
    )
}


def perform(store: Store, deliveries: Outbox, name: str, arguments: object) -> msgspec.Struct:
    """Do the action ``name`` with JSON-like ``arguments`` and return the record it touched.

    Raises KeyError for an unknown action and ActionRefused, saying why, for arguments that do not fit it.
    """
    action = ACTIONS[name]
    try:
        wanted = msgspec.convert(arguments, _ARGUMENTS[name], strict=False)
    except msgspec.ValidationError as error:
        raise ActionRefused(str(error)) from error
    with store.changing():
        return action(Desk(store, deliveries), **{field: getattr(wanted, field) for field in wanted.__struct_fields__})


def _arguments_of(action: Callable[..., msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a struct of an action's keyword arguments, so that its signature is the schema of its JSON."""
    hints = typing.get_type_hints(action)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in list(inspect.signature(action).parameters.items())[1:]:
        required = parameter.default is inspect.Parameter.empty
        fields.append((name, hints[name]) if required else (name, hints[name], parameter.default))
    return msgspec.defstruct(action.__name__, fields, kw_only=True, forbid_unknown_fields=True)


_ARGUMENTS = {name: _arguments_of(action) for name, action in ACTIONS.items()}
