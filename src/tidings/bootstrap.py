"""The only reader of Settings: opens what a role needs and wires the slices together."""

import contextlib
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tidings import accounts, compliance, delivery
from tidings.content import MediaLibrary
from tidings.core.client_address import NO_PROXIES, Proxies, read_proxies
from tidings.core.clock import utc_now
from tidings.core.crypto import Keyring
from tidings.core.db import Database
from tidings.core.errors import Invalid, Unavailable
from tidings.core.objects import Credentials, Objects, open_objects
from tidings.core.settings import Settings


@dataclass(slots=True)
class App:
    """What a role works with. `writer` is the process's slot (0…): counters are sharded by it."""

    db: Database
    keys: Keyring
    withdrawals: delivery.Withdrawals
    media: MediaLibrary
    data_dir: Path
    public_url: str
    writer: int
    chunk_size: int
    send_workers: int
    proxies: Proxies = NO_PROXIES
    import_limit: int = 2**30
    """Bytes of the largest file that may be uploaded."""
    link_probe: compliance.LinkProbe = field(default_factory=compliance.LinkProbe)
    spam_filter: compliance.SpamFilter | None = None
    resolver: delivery.Resolver | None = None
    """Who is asked for the MX records of recipients' domains; None: nobody."""


@asynccontextmanager
async def open_app(
    settings: Settings, *, writer: int = 0, pool_size: int = 10, wait_seconds: float = 30.0
) -> AsyncGenerator[App, None]:
    """Connect to the database of the settings and hand out an App; everything is closed when the block ends."""
    if settings.database_url is None:
        raise Unavailable("this needs TIDINGS_DATABASE_URL; `tidings up` sets it for its own roles")
    proxies = read_proxies(settings.trusted_proxies, settings.forwarded_header)
    objects = media_objects(settings)
    spam_filter = compliance.spam_filter(settings.spam_check_url)
    db = await Database.open(settings.database_url, size=pool_size, wait_seconds=wait_seconds)
    withdrawals = delivery.Withdrawals(db)
    try:
        keys = Keyring(settings.secret or secret_of(settings.data_dir))
        public_url = settings.public_url.rstrip("/")
        yield App(
            db=db,
            keys=keys,
            withdrawals=withdrawals,
            media=MediaLibrary(
                objects,
                keys=keys,
                base_url=settings.media_public_url.rstrip("/") or f"{public_url}/m",
                limit=settings.media_limit_mb * 2**20,
            ),
            data_dir=settings.data_dir,
            public_url=public_url,
            writer=writer,
            chunk_size=settings.chunk_size,
            send_workers=settings.send_workers,
            proxies=proxies,
            import_limit=settings.import_limit_mb * 2**20,
            spam_filter=spam_filter,
            resolver=delivery.SystemResolver() if settings.mx_lookups else None,
        )
    finally:
        await objects.close()
        await withdrawals.close()
        await db.close()


def media_objects(settings: Settings) -> Objects:
    """The store of images that the settings name. Raises Invalid."""
    url = settings.media_url or (settings.data_dir.resolve() / "media").as_uri()
    credentials = Credentials(settings.media_access_key, settings.media_secret_key, settings.media_session_token)
    try:
        return open_objects(url, credentials)
    except Invalid as error:
        hint = ": TIDINGS_MEDIA_ACCESS_KEY and TIDINGS_MEDIA_SECRET_KEY" if "access key" in error.message else ""
        raise Invalid.at("TIDINGS_MEDIA_URL", f"{error.fields[0].message}{hint}") from None


def secret_of(data_dir: Path) -> str:
    """The installation's secret, made once in its data folder. Losing it breaks links already sent and stored passwords."""
    file = data_dir / "secret"
    if not file.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = data_dir / f"secret.{os.getpid()}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as output:
            output.write(secrets.token_hex(32))
            output.flush()
            os.fsync(output.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its secret counts
            os.link(draft, file)
        draft.unlink()
    return file.read_text(encoding="ascii").strip()


async def first_start(app: App, *, catcher_port: int) -> str | None:
    """In an empty database, make a workspace that can be used at once; returns its API key, which is never seen again.

    Its first provider is the built-in catcher, so that nothing reaches anybody before a real one is added.
    """
    async with app.db.transaction() as tx:
        await tx.execute("SELECT pg_advisory_xact_lock(hashtext('tidings first start'))")
        if await accounts.all_workspaces(tx):
            return None
        now = utc_now()
        workspace = await accounts.create_workspace(tx, name="My company", postal_address="", now=now)
        await delivery.add_provider(
            tx,
            workspace=workspace,
            name="Built-in catcher",
            kind="smtp",
            config={"host": "127.0.0.1", "port": catcher_port, "tls": "none"},
            secret={},
            is_default=True,
            keys=app.keys,
            by=accounts.SYSTEM(workspace),
            now=now,
        )
        return await accounts.create_api_key(
            tx, workspace=workspace, name="first key", scopes=["*", accounts.OPERATOR], now=now
        )
