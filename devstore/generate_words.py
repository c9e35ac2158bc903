"""Word lists for made-up people and goods. Nobody and nothing here is real."""

# ruff: noqa: SIM905 (a hundred names read better as words than as a hundred quoted strings)

from __future__ import annotations

from typing import NamedTuple

FIRST_NAMES = (
    "Ada Alma Amir Anna Anton Arjun Beatriz Ben Boris Camila Carla Carlos Chen Clara Dana David Diego Elena Elias Emma "
    "Erik Eva Farah Felix Fiona Finn Grace Hana Hugo Ida Imani Ines Ivan Jack Jana Jonas Julia Kai Kenji Laura Leila "
    "Leo Lina Lucas Luna Maja Marco Maria Mateo Maya Mei Mia Milan Mina Nadia Nina Noah Nora Olga Oliver Omar Oscar "
    "Pablo Paula Priya Quinn Rafael Rania Rosa Ruben Ruth Sam Sara Sofia Stella Svea Tariq Tessa Theo Tom Uma Vera "
    "Viktor Wanda Yara Yusuf Zoe"
).split()
LAST_NAMES = (
    "Abbott Adler Ahmed Almeida Andersen Baker Bauer Becker Berg Bianchi Brandt Brown Carter Castro Chang Clark Costa "
    "Dahl Davies Dubois Eklund Evans Falk Fischer Flores Foster Garcia Girard Gomez Gray Hansen Harris Hoffmann Holm "
    "Hughes Iyer Jansen Johansson Kaya Keller Khan Kim Klein Kowalski Lang Larsen Lee Lindgren Lopez Marino Martin "
    "Mehta Meyer Moore Moreau Nakamura Nguyen Novak Okafor Olsen Ortiz Park Patel Perez Petrov Price Quist Ramos Reed "
    "Ricci Rossi Roth Ruiz Santos Sato Schmidt Silva Singh Sousa Stone Suzuki Tan Torres Turner Vargas Vogel Wagner "
    "Walker Weber Wilson Wolf Wood Young Zhang Zimmer"
).split()
STREETS = (
    "Alder Birch Cedar Dune Elm Fern Garden Harbor Hill Juniper Lake Maple Meadow Mill Oak Park River Spruce"
).split()


class City(NamedTuple):
    """A place with its province; ``phone`` is the country's dialling prefix."""

    city: str
    province: str | None
    province_code: str | None
    country: str
    country_code: str
    zip: str
    phone: str


AMERICAN = (
    City("Portland", "Oregon", "OR", "United States", "US", "97205", "+1503555"),
    City("Denver", "Colorado", "CO", "United States", "US", "80203", "+1303555"),
    City("Austin", "Texas", "TX", "United States", "US", "78701", "+1512555"),
    City("Burlington", "Vermont", "VT", "United States", "US", "05401", "+1802555"),
    City("Asheville", "North Carolina", "NC", "United States", "US", "28801", "+1828555"),
    City("Boise", "Idaho", "ID", "United States", "US", "83702", "+1208555"),
    City("Sacramento", "California", "CA", "United States", "US", "95814", "+1916555"),
    City("Madison", "Wisconsin", "WI", "United States", "US", "53703", "+1608555"),
)
EUROPEAN = (
    City("Berlin", None, None, "Germany", "DE", "10115", "+4930555"),
    City("Hamburg", None, None, "Germany", "DE", "20095", "+4940555"),
    City("Leipzig", None, None, "Germany", "DE", "04109", "+4934155"),
    City("München", None, None, "Germany", "DE", "80331", "+4989555"),
    City("Wien", None, None, "Austria", "AT", "1010", "+4315550"),
    City("Lyon", None, None, "France", "FR", "69001", "+3347855"),
)
ELSEWHERE = (
    City("Toronto", "Ontario", "ON", "Canada", "CA", "M5H 2N2", "+1416555"),
    City("Leeds", "England", "ENG", "United Kingdom", "GB", "LS1 4AP", "+4411355"),
    City("Osaka", "Ōsaka", "JP-27", "Japan", "JP", "530-0001", "+8166555"),
    City("Zürich", "Zürich", "ZH", "Switzerland", "CH", "8001", "+4144555"),
)

SERIES = (
    "Alpenglow Basecamp Brightwater Cairn Cascade Driftwood Eastfork Fernhollow Granite Highline Juniper Kestrel "
    "Longtrail Moraine Northfold Overlook Pinecrest Ridgeline Saltmarsh Summit Timberline Vista Wayfarer Wildrose"
).split()


class Line(NamedTuple):
    """A kind of goods: what it is called, its type, whole-unit price range, weight, and the options it comes in."""

    noun: str
    product_type: str
    low: int
    high: int
    grams: int
    options: tuple[str, ...]


SIZES = ("XS", "S", "M", "L", "XL", "XXL")
COLOURS = ("Moss", "Slate", "Rust", "Sand")
ONE = ("Default Title",)

LINES = (
    Line("2-Person Tent", "Tents", 189, 349, 2300, ("Moss", "Slate")),
    Line("4-Person Tent", "Tents", 279, 499, 4100, ("Moss", "Slate")),
    Line("Down Sleeping Bag", "Sleep", 149, 329, 1100, ("Regular", "Long")),
    Line("Sleeping Pad", "Sleep", 49, 139, 620, ("Regular", "Wide")),
    Line("Camp Pillow", "Sleep", 19, 39, 180, ONE),
    Line("Daypack 22 L", "Packs", 59, 119, 800, COLOURS),
    Line("Trekking Pack 55 L", "Packs", 149, 259, 1900, ("S/M", "M/L", "L/XL")),
    Line("Rain Shell", "Jackets", 89, 229, 390, SIZES),
    Line("Fleece Pullover", "Jackets", 49, 99, 420, SIZES),
    Line("Merino Tee", "Shirts", 39, 69, 170, SIZES),
    Line("Hiking Trousers", "Trousers", 59, 109, 380, ("30", "32", "34", "36")),
    Line("Wool Socks", "Socks", 12, 24, 80, ("S", "M", "L")),
    Line("Trail Cap", "Headwear", 17, 32, 90, COLOURS),
    Line("Canister Stove", "Kitchen", 39, 89, 210, ONE),
    Line("Titanium Mug", "Kitchen", 19, 44, 95, ("350 ml", "450 ml")),
    Line("Cookset", "Kitchen", 34, 99, 540, ("Solo", "Duo")),
    Line("Insulated Bottle", "Kitchen", 22, 45, 330, COLOURS),
    Line("Headlamp", "Lights", 24, 79, 95, ONE),
    Line("Camp Lantern", "Lights", 29, 69, 310, ONE),
    Line("Trekking Poles", "Poles", 49, 159, 480, ("Pair",)),
    Line("Water Filter", "Water", 29, 69, 120, ONE),
    Line("Dry Sack", "Storage", 12, 29, 110, ("5 L", "10 L", "20 L")),
    Line("First-Aid Kit", "Safety", 19, 49, 260, ONE),
    Line("Repair Tape", "Safety", 6, 12, 40, ONE),
)
TAGS = ("bestseller", "new", "sale", "ultralight", "waterproof", "vegan", "winter", "summer")
CUSTOMER_TAGS = ("vip", "wholesale", "newsletter", "returns-often", "local")
VENDORS = ("Cairn & Co", "Northfold", "Kestrel Works", "Saltmarsh Supply", "Fernhollow")
REFERRERS = ("https://www.google.com/", "https://www.instagram.com/", "https://duckduckgo.com/", None, None)
LANDINGS = ("/", "/collections/all", "/collections/sale?utm_source=newsletter&utm_medium=email", "/pages/gift-guide")
