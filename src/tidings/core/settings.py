"""Settings, from the environment (`TIDINGS_…`). Only `bootstrap` and `cli` read them."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tidings.core.errors import Invalid


class Settings(BaseSettings):
    """Everything that can be set. Each has a default that works on a laptop."""

    model_config = SettingsConfigDict(env_prefix="TIDINGS_", extra="ignore")

    data_dir: Path = Field(default=Path(".tidings"), description="embedded database, journals, spools and the secret")
    database_url: str | None = Field(default=None, description="a PostgreSQL ≥ 15 of yours; unset: the embedded one")
    secret: str | None = Field(default=None, description="signs links, seals credentials; unset: made once in data_dir")
    public_url: str = Field(
        default="", description="where recipients reach the edge; empty: http://127.0.0.1 with the edge's port"
    )
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    edge_host: str = "127.0.0.1"
    edge_port: int = 8081
    trusted_proxies: str = Field(
        default="",
        description="networks of the proxies before the edge, separated by commas: whom they name as client counts",
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for", description="the header in which they name it; the other one is never read"
    )
    catcher_smtp_port: int = Field(
        default=2525, description="the built-in catcher: a mail server that delivers nowhere"
    )
    catcher_http_port: int = Field(default=8025, description="where caught messages can be read")
    inbound_listen: str = Field(
        default="",
        description="where reports of failed messages come in by mail, such as 0.0.0.0:25, lmtp:127.0.0.1:2424; empty: nowhere",
    )
    inbound_hostname: str = Field(default="", description="as the MX record names it; empty: this host's name")
    inbound_tls_certificate: str = Field(
        default="", description="file in PEM with the chain, for STARTTLS; empty: none"
    )
    inbound_tls_key: str = Field(default="", description="file in PEM; empty: it is in the certificate's file")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"
    send_workers: int = Field(default=1, ge=1, le=64, description="send processes on this host")
    import_limit_mb: int = Field(default=1024, ge=1, le=100_000, description="largest file that may be uploaded")
    media_url: str = Field(
        default="", description="where images are kept: file:///… or s3://bucket/prefix?…; empty: in data_dir"
    )
    media_access_key: str = Field(default="", repr=False, description="of the bucket")
    media_secret_key: str = Field(default="", repr=False)
    media_session_token: str = Field(default="", repr=False)
    media_public_url: str = Field(
        default="", description="where everybody sees images: of a CDN before the edge; empty: public_url/m"
    )
    media_limit_mb: int = Field(default=10, ge=1, le=200, description="largest image that may be uploaded")
    chunk_size: int = Field(default=1000, ge=10, le=10_000, description="recipients a lease")

    mx_lookups: bool = Field(
        default=True,
        description="ask the DNS who runs the mailboxes of recipients' domains, for limits by mailbox provider",
    )
    spam_check_url: str = Field(
        default="",
        description="a spam filter of yours, for checks before a send: rspamd://host:11333 or spamd://host:783",
    )

    @model_validator(mode="after")
    def _find_the_edge(self) -> "Settings":
        self.public_url = self.public_url or f"http://127.0.0.1:{self.edge_port}"
        return self


_OTHER_NAMES = {"TIDINGS_SMTP_PASSWORD", "TIDINGS_PROVIDER_SECRET", "TIDINGS_IMAP_PASSWORD"}
"""Variables with our prefix that are options of commands, not settings."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in the environment. Raises Invalid that names the variable: one that is wrong, or that there is none of."""
    known = {f"TIDINGS_{name.upper()}" for name in Settings.model_fields} | _OTHER_NAMES
    for name in environment:
        if name.startswith("TIDINGS_") and name not in known:
            near = get_close_matches(name, known, n=1)
            raise Invalid.at(name, f"there is no such setting{f'; did you mean {near[0]}?' if near else ''}")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid.at(f"TIDINGS_{str(first['loc'][0]).upper()}", first["msg"].lower()) from None
