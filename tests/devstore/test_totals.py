"""Order arithmetic, to the cent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstore import pricing, totals
from devstore.model import LineItem

CENTS = st.integers(0, 10_000_00).map(lambda cents: Decimal(cents) / 100)


def line(quantity=3, price="10.00", discount="1.00", tax="2.23", **changes):
    fields = {
        "id": 1,
        "product_id": 1,
        "variant_id": 1,
        "title": "Tent",
        "variant_title": None,
        "sku": None,
        "vendor": None,
        "gift_card": False,
        "taxable": True,
        "grams": 1,
        "quantity": quantity,
        "current_quantity": quantity,
        "price": Decimal(price),
        "discount": Decimal(discount),
        "tax": Decimal(tax),
    }
    return LineItem(**{**fields, **changes})


@given(CENTS, st.lists(CENTS, min_size=1, max_size=8))
def test_an_allocation_adds_up_to_the_amount(amount, weights):
    shares = totals.allocate(amount, weights)

    assert sum(shares) == (amount if any(weights) else 0)
    assert all(share >= 0 for share in shares)


def test_the_largest_remainder_gets_the_cent_and_the_earlier_one_when_they_are_equal():
    assert totals.allocate(Decimal("0.10"), [Decimal(1), Decimal(2)]) == [Decimal("0.03"), Decimal("0.07")]
    assert totals.allocate(Decimal("0.01"), [Decimal(1), Decimal(1)]) == [Decimal("0.01"), Decimal("0.00")]


@given(st.integers(1, 12), CENTS, CENTS, st.data())
def test_the_shares_of_all_units_add_up_to_the_line(quantity, discount, tax, data):
    whole = line(quantity, "99.99", str(discount), str(tax))
    taken = []
    while whole.current_quantity:
        taken.append(totals.take(whole, data.draw(st.integers(1, whole.current_quantity))))

    assert sum(part.gross for part in taken) == Decimal("99.99") * quantity
    assert sum(part.discount for part in taken) == discount
    assert sum(part.tax for part in taken) == tax


def test_taking_more_units_than_are_left_is_refused():
    with pytest.raises(ValueError, match="has 3 units left, not 4"):
        totals.take(line(), 4)


def test_a_code_is_split_over_the_goods_and_leaves_gift_cards_alone(store):
    tent, card = (next(p for p in store.products.values() if p.gift_card is gift) for gift in (False, True))
    tent.variants[0].price, card.variants[0].price = Decimal("33.33"), Decimal("25.00")
    picks = [pricing.Pick(tent, tent.variants[0], 2, percent_off=10), pricing.Pick(card, card.variants[0], 1)]

    goods, gift = pricing.price_lines(picks, pricing.CODES["WELCOME10"], Decimal("0.10"), store.next_id)

    # 66.66 less 10 % of it (6.67) is 59.99; the code takes 6.00 of that; 10 % tax on 53.99 is 5.40
    assert (goods.discount, goods.tax) == (Decimal("12.67"), Decimal("5.40"))
    assert (gift.discount, gift.tax, gift.taxable) == (Decimal(0), Decimal(0), False)


@pytest.mark.parametrize(
    ("price", "code", "charged"),
    [("99.99", None, "6.90"), ("100.00", None, "0.00"), ("10.00", "FREESHIP", "0.00"), ("10.00", "TRAIL20", "6.90")],
)
def test_shipping_is_free_on_large_orders_and_by_code(store, price, code, charged):
    lines = [line(1, price, "0.00", "0.00")]

    (shipping,) = pricing.shipping(lines, pricing.CODES[code] if code else None, Decimal("0.10"), store.next_id)

    assert shipping.price - shipping.discount == Decimal(charged)
    assert shipping.tax == totals.cents(Decimal(charged) / 10)


def test_gift_cards_alone_are_not_shipped(store):
    assert pricing.shipping([line(gift_card=True)], None, Decimal(0), store.next_id) == []
