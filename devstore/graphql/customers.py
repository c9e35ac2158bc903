"""Customers and addresses, as GraphQL shows them; counts and spend come from the orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devstore import totals
from devstore.graphql import access
from devstore.graphql.context import Context, Fields, Listing, Mailing, Money
from devstore.graphql.scalars import gid

if TYPE_CHECKING:
    from decimal import Decimal

    from devstore.model import Customer, Order


def placed_orders(customer: Customer, context: Context) -> list[Order]:
    """Return a customer's orders without test orders, oldest first."""
    return [order for order in context.store.orders_of(customer.id) if not order.test]


def spent(customer: Customer, context: Context) -> Decimal:
    """Return what a customer paid and was not paid back."""
    orders = placed_orders(customer, context)
    return totals.total([totals.captured(order) - totals.refunded(order) for order in orders])


def _last_order(customer: Customer, context: Context) -> Order | None:
    orders = placed_orders(customer, context)
    return orders[-1] if orders else None


def _display_name(customer: Customer, _context: Context) -> str:
    """Return the name, or the first thing known of somebody without one."""
    name = " ".join(filter(None, (customer.first_name, customer.last_name)))
    return name or customer.email or customer.phone or f"Customer {customer.id}"


def _address(customer: Customer, _context: Context) -> Mailing | None:
    if customer.address is None:
        return None
    return Mailing(gid("MailingAddress", f"{customer.id}?model_name=CustomerAddress"), customer.address)


def _sms_state(customer: Customer, _context: Context) -> str:
    """Return the consent in the words of the newer type, which has no NOT_SUBSCRIBED."""
    state = customer.sms_consent.upper()
    return "NEVER_SUBSCRIBED" if state == "NOT_SUBSCRIBED" else state


def _opt_in(consent: str) -> str | None:
    return None if consent == "not_subscribed" else "SINGLE_OPT_IN"


CUSTOMER: Fields = {
    "amountSpent": lambda customer, context: Money(spent(customer, context), context.store.shop.currency),
    "createdAt": lambda customer, _context: customer.created_at,
    "dataSaleOptOut": lambda _customer, _context: False,
    "defaultAddress": _address,
    "defaultEmailAddress": lambda customer, _context: customer if customer.email else None,
    "defaultPhoneNumber": lambda customer, _context: customer if customer.phone else None,
    "displayName": _display_name,
    "email": lambda customer, _context: customer.email,
    "firstName": lambda customer, _context: customer.first_name,
    "id": lambda customer, _context: gid("Customer", customer.id),
    "lastName": lambda customer, _context: customer.last_name,
    "lastOrder": _last_order,
    "legacyResourceId": lambda customer, _context: customer.id,
    "locale": lambda customer, _context: customer.locale,
    "note": lambda customer, _context: customer.note,
    "numberOfOrders": lambda customer, context: len(placed_orders(customer, context)),
    "orders": lambda customer, context, **_page: Listing(access.visible(context, context.store.orders_of(customer.id))),
    "phone": lambda customer, _context: customer.phone,
    "state": lambda customer, _context: customer.state.upper(),
    "tags": lambda customer, _context: sorted(customer.tags),
    "taxExempt": lambda _customer, _context: False,
    "updatedAt": lambda customer, _context: customer.updated_at,
    "verifiedEmail": lambda customer, _context: customer.verified_email,
}
EMAIL_ADDRESS: Fields = {
    "emailAddress": lambda customer, _context: customer.email,
    "marketingOptInLevel": lambda customer, _context: _opt_in(customer.email_consent),
    "marketingState": lambda customer, _context: customer.email_consent.upper(),
    "marketingUpdatedAt": lambda customer, _context: customer.email_consent_at,
    "validFormat": lambda customer, _context: "@" in customer.email,
}
PHONE_NUMBER: Fields = {
    "marketingCollectedFrom": lambda customer, _context: None if customer.sms_consent_at is None else "SHOPIFY",
    "marketingOptInLevel": lambda customer, _context: _opt_in(customer.sms_consent),
    "marketingState": lambda customer, _context: customer.sms_consent.upper(),
    "marketingUpdatedAt": lambda customer, _context: customer.sms_consent_at,
    "phoneNumber": lambda customer, _context: customer.phone,
    "smsMarketingConsent": lambda customer, _context: customer,
}
SMS_CONSENT: Fields = {
    "collectedFrom": PHONE_NUMBER["marketingCollectedFrom"],
    "optInLevel": PHONE_NUMBER["marketingOptInLevel"],
    "state": _sms_state,
    "updatedAt": lambda customer, _context: customer.sms_consent_at,
}
MAILING_ADDRESS: Fields = {
    "address1": lambda mailing, _context: mailing.address.address1,
    "address2": lambda _mailing, _context: None,
    "city": lambda mailing, _context: mailing.address.city,
    "company": lambda _mailing, _context: None,
    "country": lambda mailing, _context: mailing.address.country,
    "countryCodeV2": lambda mailing, _context: mailing.address.country_code,
    "firstName": lambda mailing, _context: mailing.address.first_name,
    "id": lambda mailing, _context: mailing.id,
    "lastName": lambda mailing, _context: mailing.address.last_name,
    "name": lambda mailing, _context: f"{mailing.address.first_name} {mailing.address.last_name}",
    "phone": lambda mailing, _context: mailing.address.phone,
    "province": lambda mailing, _context: mailing.address.province,
    "provinceCode": lambda mailing, _context: mailing.address.province_code,
    "zip": lambda mailing, _context: mailing.address.zip,
}
