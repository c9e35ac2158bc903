"""The SDL devstore serves, held against Shopify's real schema, and the resolvers held against the SDL."""

import gzip
import json

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_client_schema,
    parse,
    validate,
)

from devstore.graphql import schema, webhooks

PAYLOADS = ("Payload", "Error", "Connection", "Edge")


@pytest.fixture(scope="module")
def introspection(reference):
    with gzip.open(reference / "admin-schema" / "admin_2026-10.json.gz") as file:
        return json.load(file)["data"]


@pytest.fixture(scope="module")
def real(introspection):
    return build_client_schema(introspection, assume_valid=True)


@pytest.fixture(scope="module")
def defaults(introspection):
    """Map (type, field, argument) to the default as it is written."""
    return {
        (type_["name"], field["name"], argument["name"]): argument["defaultValue"]
        for type_ in introspection["__schema"]["types"]
        for field in type_["fields"] or []
        for argument in field["args"]
    }


def own_types(kind):
    types = schema.SCHEMA.type_map.values()
    return [type_ for type_ in types if isinstance(type_, kind) and not type_.name.startswith("__")]


def test_every_type_is_in_the_real_schema_and_of_its_kind(real):
    own = {type_.name: type(type_) for type_ in schema.SCHEMA.type_map.values() if not type_.name.startswith("__")}

    theirs = {name: type(real.type_map[name]) for name in own if name in real.type_map}

    assert own == theirs


def test_every_field_has_the_real_type(real):
    own = {
        (type_.name, name): str(field.type)
        for type_ in own_types((GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType))
        for name, field in type_.fields.items()
    }

    theirs = {key: str(real.type_map[key[0]].fields[key[1]].type) for key in own}

    assert own == theirs


def test_every_argument_has_the_real_type_and_default(real, defaults):
    own = {
        (type_.name, field_name, name): (str(argument.type), argument.ast_node.default_value)
        for type_ in own_types((GraphQLObjectType, GraphQLInterfaceType))
        for field_name, field in type_.fields.items()
        for name, argument in field.args.items()
    }

    for (type_, field, name), (written, default) in own.items():
        argument = real.type_map[type_].fields[field].args[name]
        text = default.loc.source.body[default.loc.start : default.loc.end] if default else None
        assert (written, text) == (str(argument.type), defaults[type_, field, name]), (type_, field, name)


def test_every_enum_value_is_real(real):
    for enum in own_types(GraphQLEnumType):
        assert enum.values.keys() <= real.type_map[enum.name].values.keys(), enum.name


def test_every_interface_is_real(real):
    for type_ in own_types(GraphQLObjectType):
        own = {interface.name for interface in type_.interfaces}
        assert own <= {interface.name for interface in real.type_map[type_.name].interfaces}, type_.name


def test_every_connection_node_that_is_a_node_in_shopify_is_one_here(real):
    for type_ in own_types(GraphQLObjectType):
        in_shopify = "Node" in {interface.name for interface in real.type_map[type_.name].interfaces}
        assert in_shopify == ("Node" in {interface.name for interface in type_.interfaces}), type_.name


def test_every_field_has_a_resolver_and_every_resolver_a_field():
    for type_ in own_types(GraphQLObjectType):
        if type_.name.endswith(PAYLOADS) or type_.name in schema.ABSENT:
            continue
        resolvers = schema.FIELDS[type_.name].keys()
        missing = type_.fields.keys() - resolvers
        extra = resolvers - type_.fields.keys()
        shared = type_.name.endswith(("Agreement", "Sale"))
        assert not missing, type_.name
        assert shared or not extra, type_.name


def test_the_documents_the_reference_validated_are_valid_here(reference):
    documents = json.loads((reference / "validated_queries.json").read_text())

    errors = [error for text in documents.values() for error in validate(schema.SCHEMA, parse(text))]

    assert documents
    assert errors == []


def test_the_topics_and_the_enum_are_the_same():
    assert schema.SCHEMA.type_map["WebhookSubscriptionTopic"].values.keys() == webhooks.WIRE.keys()


def test_the_topics_need_the_scopes_shopify_lists(reference):
    listed = json.loads((reference / "payloads" / "topic_metadata_2026-04.json").read_text())

    theirs = {topic: [f"read_{noun}" for noun in listed[topic]["access_scopes"] or [""]] for topic in webhooks.TOPICS}

    for topic, scope in webhooks.TOPICS.items():
        assert (scope or "read_") in theirs[topic], topic
