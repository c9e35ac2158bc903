"""Encryption at rest: the keys in ``TOKEN_KEYS`` seal tokens and secrets before they reach a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

if TYPE_CHECKING:
    from collections.abc import Iterable


class CannotUnseal(Exception):
    """What is stored was sealed with a key that ``TOKEN_KEYS`` no longer holds."""

    def __init__(self) -> None:
        super().__init__("a stored secret was sealed with a key that TOKEN_KEYS no longer holds")


class Vault:
    """Seals text with the first key, and unseals what any of the keys sealed."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, plain: str) -> bytes:
        """Seal ``plain`` with the newest key."""
        return self._fernet.encrypt(plain.encode())

    def decrypt(self, sealed: bytes) -> str:
        """Return what was sealed.

        Raises:
            CannotUnseal: no key fits.
        """
        try:
            return self._fernet.decrypt(bytes(sealed)).decode()
        except InvalidToken as error:
            raise CannotUnseal from error

    def rotate(self, sealed: bytes) -> bytes:
        """Seal again with the newest key.

        Raises:
            CannotUnseal: no key fits.
        """
        try:
            return self._fernet.rotate(bytes(sealed))
        except InvalidToken as error:
            raise CannotUnseal from error
