"""The signer against AWS's published Signature Version 4 test suite."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from tidings.core.sigv4 import authorization


@pytest.mark.parametrize(
    ("method", "query", "more", "body", "signature"),
    [
        ("GET", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "Param1=value1&Param2=value2",
            {},
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "Param1=value1", {}, b"", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        (
            "POST",
            "",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
def test_the_published_vectors(method: str, query: str, more: dict[str, str], body: bytes, signature: str) -> None:
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z", **more}
    found = authorization(
        method=method,
        path="/",
        query=query,
        headers=headers,
        payload_hash=sha256(body).hexdigest(),
        key_id="AKIDEXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        service="service",
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert found.endswith(f"Signature={signature}")
    assert found.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ")
