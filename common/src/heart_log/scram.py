"""What PostgreSQL stores of a password (RFC 5803), made here: no statement with a password reaches the server's log."""

import base64
import hashlib
import hmac
import os
import unicodedata

ROUNDS = 4096
"""PostgreSQL's own number; passwords are random and long."""


def scram_secret(password: str, salted: str | None = None) -> str:
    """`salted`: `rounds:salt` of the one that is stored now: the same password gives the same secret with it.

    Of RFC 4013's preparation only the normal form is done: generated passwords are ASCII.
    """
    rounds, salt = read_salt(salted) if salted else (ROUNDS, os.urandom(16))
    key = hashlib.pbkdf2_hmac("sha256", unicodedata.normalize("NFKC", password).encode(), salt, rounds)
    client, server = (hmac.digest(key, name, "sha256") for name in (b"Client Key", b"Server Key"))
    return f"SCRAM-SHA-256${rounds}:{encoded(salt)}${encoded(hashlib.sha256(client).digest())}:{encoded(server)}"


def read_salt(salted: str) -> tuple[int, bytes]:
    rounds, _, salt = salted.partition(":")
    return int(rounds), base64.b64decode(salt)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
