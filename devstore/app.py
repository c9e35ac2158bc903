"""The devstore's composition root: stores, deliveries and every blueprint in one Flask app."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import Flask

from devstore import admin, control, graphql, oauth
from devstore.bulk import Runner
from devstore.delivery import Deliveries
from devstore.state import Devstore, Stores
from devstore.troubles import Troubles

if TYPE_CHECKING:
    from devstore.options import Options

BLUEPRINTS = (control.blueprint, oauth.blueprint, graphql.blueprint, admin.blueprint)


def create_app(options: Options) -> Flask:
    """Open (or generate) the stores of ``options`` and serve them; close them with :func:`close`."""
    app = Flask(__name__, static_folder=None)
    stores = Stores(options)
    devstore = Devstore(
        options=options,
        stores=stores,
        deliveries=Deliveries(stores, options),
        troubles=Troubles(options.faults),
    )
    app.extensions["devstore"] = devstore
    app.extensions[graphql.BULK] = Runner(devstore)
    app.logger.setLevel(logging.INFO)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def close(app: Flask) -> None:
    """Stop delivering (what is pending goes on at the next start) and close the stores' file."""
    devstore: Devstore = app.extensions["devstore"]
    devstore.deliveries.close()
    devstore.stores.close()
