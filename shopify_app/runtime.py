"""What a process holds for as long as it lives, made once by ``create_app`` and found through the running app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    import httpx

    from config import Config
    from shopify_app.crypto import Vault
    from shopify_app.direct import Direct
    from shopify_app.jobs.queues import Bell, Queues
    from shopify_app.shopify.oauth import OAuth
    from shopify_app.shopify.traffic import Traffic

EXTENSION = "storelens"


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The collaborators that doors hand to rooms."""

    config: Config
    vault: Vault
    queues: Queues
    bell: Bell
    direct: Direct
    oauth: OAuth
    http: httpx.Client
    traffic: Traffic

    def close(self) -> None:
        """Let go of threads and connections, in the order in which one may still need the next."""
        self.bell.close()
        self.direct.close()
        self.queues.redis.close()
        self.http.close()


def current() -> Runtime:
    """Return the running app's collaborators; needs an application context."""
    return cast("Runtime", current_app.extensions[EXTENSION])
