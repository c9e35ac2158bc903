"""The overview's figures, by the definitions it names."""

from datetime import date
from decimal import Decimal

from shopify_app.database import tenant_work
from shopify_app.insights import custom, overview
from shopify_app.insights.definitions import DEFINITIONS
from shopify_app.models import Tenant
from tests.ingest.world import at, customer, edited, line, order, product, refund, shipping

FIRST = custom(date(2026, 3, 1), date(2026, 3, 3))
LATER = custom(date(2026, 3, 4), date(2026, 3, 6))


def ask(world, chosen=FIRST, compared=None, tenant=None):
    world.refresh()
    with tenant_work(tenant or world.alpha) as session:
        return overview(session, session.get_one(Tenant, tenant or world.alpha), chosen, compared)


def values(answer):
    return {name: figure.value for name, figure in answer.figures.items()}


def test_the_figures_follow_their_definitions(world):
    world.apply(
        (
            "orders/create",
            order(1, [line(11, quantity=4, discount="4.00", tax="2.88")], shipping_lines=[shipping(tax="0.40")]),
        ),
        ("orders/create", order(2, [line(21, price="20.00")], customer=None)),
        ("orders/edited", edited(41, 1, removed=[(11, 1)], days=1)),
        (
            "refunds/create",
            refund(31, 1, lines=[(11, 1, "9.00", "0.72")], shipping="5.00", shipping_tax="0.40", days=2),
        ),
    )

    figures = values(ask(world))

    assert figures == {
        "gross_sales": Decimal(60),
        "discounts": Decimal(4),
        "returns": Decimal(18),
        "net_sales": Decimal(38),
        "shipping": Decimal(0),
        "taxes": Decimal("1.44"),
        "total_sales": Decimal("39.44"),
        "orders": 2,
        "average_order_value": Decimal(28),
        "returning_customer_rate": Decimal(0),
    }


def test_every_figure_has_its_sentence(world):
    assert set(ask(world).figures) == set(DEFINITIONS)


def test_days_without_sales_are_zeros_and_not_gaps(world):
    world.apply(("orders/create", order(processed_at=at(days=1))))

    days = ask(world).days

    assert [(day.day_on.day, day.orders, day.total_sales) for day in days] == [(1, 0, 0), (2, 1, 10), (3, 0, 0)]


def test_a_store_without_orders_has_no_average_and_no_rate(world):
    figures = values(ask(world))

    assert (figures["average_order_value"], figures["returning_customer_rate"]) == (None, None)
    assert figures["total_sales"] == 0


def test_each_figure_stands_beside_the_one_it_is_compared_with(world):
    world.apply(
        ("orders/create", order(1)), ("orders/create", order(2, [line(21, price="30.00")], processed_at=at(days=4)))
    )

    answer = ask(world, LATER, FIRST)

    assert (answer.figures["total_sales"].value, answer.figures["total_sales"].compared) == (30, 10)
    assert [day.total_sales for day in answer.compared_days] == [10, 0, 0]
    assert len(answer.days) == len(answer.compared_days)


def test_a_returning_customer_may_have_come_first_outside_of_the_range(world):
    world.apply(
        ("orders/create", order(1, customer={"id": 1}, processed_at=at(days=-400))),
        ("orders/create", order(2, [line(21)], customer={"id": 1})),
        ("orders/create", order(3, [line(31)], customer={"id": 2})),
        ("orders/create", order(4, [line(41)], customer={"id": 2}, test=True)),
        ("orders/create", order(5, [line(51)], customer={"id": 3}, processed_at=at(days=90))),
        ("orders/create", order(6, [line(61)], customer={"id": 3})),
        ("orders/create", order(7, [line(71)], customer=None)),
    )

    assert ask(world).figures["returning_customer_rate"].value == Decimal(2) / 3


def test_the_average_ignores_what_happened_after_the_order(world):
    world.apply(
        ("orders/create", order(1, [line(11), line(12, price="90.00")])),
        ("orders/edited", edited(41, 1, added=[(12, 1)])),
        ("refunds/create", refund(31, 1, lines=[(11, 1, "10.00", "0.00")])),
    )

    assert ask(world).figures["average_order_value"].value == 10


def test_the_best_customers_are_ranked_by_net_sales_and_ties_by_number(world):
    world.apply(("customers/create", customer(3)))
    for number, (who, price) in enumerate(((5, "10"), (3, "10"), (9, "50"), (4, "7"), (6, "6"), (8, "5"))):
        world.apply(("orders/create", order(number + 1, [line(number + 10, price=price)], customer={"id": who})))
    world.apply(("refunds/create", refund(31, 3, lines=[(12, 1, "45.00", "0.00")])))

    best = ask(world).top_customers

    assert [(one.shopify_id, int(one.net_sales)) for one in best] == [(3, 10), (5, 10), (4, 7), (6, 6), (8, 5)]
    assert (best[0].name, best[0].email, best[0].orders) == ("Ada Lovelace", "ada@example.com", 1)
    assert (best[1].name, best[1].email) == (None, None)


def test_a_return_of_an_earlier_order_counts_against_its_customer_in_the_range(world):
    world.apply(
        ("orders/create", order(1, processed_at=at(days=-30))),
        ("refunds/create", refund(31, 1, lines=[(11, 1, "10.00", "0.00")])),
    )

    (best,) = ask(world).top_customers

    assert (best.orders, best.net_sales) == (0, -10)


def test_the_best_products_are_ranked_by_net_sales(world):
    world.apply(
        ("products/create", product(511)),
        ("orders/create", order(1, [line(11, quantity=3), line(12, price="40.00"), line(13, product_id=None)])),
        ("refunds/create", refund(31, 1, lines=[(11, 1, "10.00", "0.00")])),
    )

    best = ask(world).top_products

    assert [(one.shopify_id, one.title, one.units, int(one.net_sales)) for one in best] == [
        (512, "Line 12", 1, 40),
        (511, "Tent", 3, 20),
    ]


def test_another_store_asks_and_sees_its_own_alone(world):
    world.apply(("orders/create", order()))
    world.refresh()

    for other in (world.beta, world.stranger):
        answer = ask(world, tenant=other)
        assert answer.figures["orders"].value == 0
        assert (answer.top_customers, answer.top_products) == ((), ())
