"""No secret of an address is shown."""

import pytest

from heart_trainer.redaction import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pa@ss@host/x.csv?X-Amz-Signature=abc#f", "https://host/x.csv?…"),
        ("s3://bucket/key", "s3://bucket/key"),
        ("postgresql+psycopg2://heart:secret@db:5432/mlflow?sslpassword=x", "postgresql+psycopg2://db:5432/mlflow?…"),
        ("builtin://heart-synthetic?rows=300", "builtin://heart-synthetic?rows=300"),
        (
            "MLflow at http://u:p@h:5000/ said: GET http://h/a?token=t failed",
            "MLflow at http://h:5000/ said: GET http://h/a?… failed",
        ),
        ("no address at all", "no address at all"),
    ],
)
def test_addresses_lose_what_is_secret(text: str, shown: str) -> None:
    assert redact(text) == shown
