"""AWS Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache


def authorization(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload_hash: str,
    key_id: str,
    secret: str,
    region: str,
    service: str,
    now: datetime,
) -> str:
    """The Authorization header's value. `headers` are all to be signed, among them host and x-amz-date, names in lower case.

    `path` and `query` are canonical already: escaped, the query's parameters sorted. `payload_hash` is the body's SHA-256
    in hexadecimal. `now` is UTC, as in x-amz-date.
    """
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{payload_hash}"
    moment = amz_date(now)
    day = moment[:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(secret, day, region, service), text.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"


@lru_cache(maxsize=8)
def amz_date(now: datetime) -> str:
    """The value of x-amz-date. Thousands of requests are of the same second: give a moment without microseconds."""
    return f"{now:%Y%m%dT%H%M%SZ}"


@lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
