"""The two roles without a port: `send` hands messages over, `conduct` does everything that happens by itself."""

import asyncio
import contextlib
import logging
from datetime import timedelta

from tidings import accounts, campaigns, compliance, content, delivery, events
from tidings.audience import consents, imports, lists
from tidings.audience.gone import forget_deleted
from tidings.bootstrap import App
from tidings.core.clock import steady, utc_now
from tidings.core.errors import Unavailable
from tidings.core.jobs import run_jobs
from tidings.core.loops import every, forever, run_until
from tidings.delivery.bounces import ReturnPaths

_log = logging.getLogger(__name__)

_GAP_SECONDS = 10.0
_AT_ONCE = 2  # launches, and audiences numbered, side by side: a small one need not wait for a large one


async def send(app: App, stop: asyncio.Event) -> None:
    """Send messages until `stop`."""
    worker = delivery.SendWorker(
        app.db,
        keys=app.keys,
        public_url=app.public_url,
        folder=app.data_dir / "journals",
        writer=app.writer,
        share=app.send_workers,
        chunk_size=app.chunk_size,
    )
    await worker.run(stop)


async def conduct(app: App, stop: asyncio.Event) -> None:
    """Start what is due, number audiences, retry, follow, expire, and run background jobs, until `stop`."""
    conductor = Conductor(app)
    await run_until(
        stop,
        forever(conductor.listen),
        *(forever(conductor.prepare) for _ in range(_AT_ONCE)),
        *(every(0.2, conductor.launch_due) for _ in range(_AT_ONCE)),
        every(0.5, conductor.requeue),
        every(1, conductor.hasten),
        every(0.25, conductor.follow),
        every(2, conductor.finish),
        every(0.5, conductor.retry_failed),
        every(1, conductor.pause_failing),
        every(5, conductor.pause_complained),
        every(10, conductor.step_warmups),
        every(1, conductor.bundle_messages),
        every(10, conductor.tidy_messages),
        every(0.2, conductor.take_notifications),
        every(0.5, conductor.take_inbound),
        every(5, conductor.poll_mailboxes),
        every(5, conductor.collect_domains),
        every(5, conductor.look_up_domains),
        every(20, conductor.read_accounts),
        every(0.5, conductor.cancel),
        every(5, conductor.gather_receipts),
        forever(conductor.expire),
        every(3600, conductor.tidy),
        every(60, conductor.sweep_media),
        run_jobs(app.db, stop, jobs=imports.jobs(app.db, app.keys) | lists.jobs(app.db)),
    )


class Conductor:
    """The steps of the conduct role. Any number of conductors may run: each step takes what no other has."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._db = app.db
        self._accounts = delivery.Accounts(app.db, app.keys)
        self._launched = asyncio.Condition()
        self._message_ids = delivery.MessageIds(app.keys)
        self._return_paths = ReturnPaths(app.keys)

    async def listen(self) -> None:
        """Hear of launches at once; without this they would wait for the next look."""
        connection = await self._db.connect()
        try:
            gone = asyncio.Event()
            connection.add_termination_listener(lambda _: gone.set())
            await connection.add_listener(delivery.PREPARE, lambda *_: asyncio.ensure_future(self._wake()))
            await gone.wait()
        finally:
            connection.terminate()

    async def prepare(self) -> None:
        """Number audiences, one after the other, as they are launched."""
        while True:
            async with self._db.transaction() as tx:
                prepared = await delivery.prepare_next(tx, chunk_size=self._app.chunk_size, now=utc_now())
            if not prepared:
                async with self._launched:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1.0):
                            await self._launched.wait()

    async def launch_due(self) -> None:
        """Start every campaign whose time has come."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await campaigns.launch_due(tx, public_url=self._app.public_url, now=utc_now()) > 0

    async def requeue(self) -> None:
        """Queue the retries that are due."""
        async with self._db.transaction() as tx:
            await delivery.requeue_due(tx, now=utc_now())

    async def hasten(self) -> None:
        """Call back those whom limits held back that were changed since."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.hasten_held_back(tx, now=utc_now()) > 0

    async def follow(self) -> None:
        """Campaigns say what their sends came to."""
        async with self._db.transaction() as tx:
            await campaigns.follow_sends(tx, now=utc_now())

    async def retry_failed(self) -> None:
        """Queue what people want tried again, a stretch a transaction."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.retry_some(tx)

    async def pause_failing(self) -> None:
        """Stop campaigns of which too much fails."""
        async with self._db.transaction() as tx:
            await delivery.pause_failing(tx)

    async def pause_complained(self) -> None:
        """Stop campaigns that many complain about."""
        async with self._db.transaction() as tx:
            await delivery.pause_complained(tx, now=utc_now())

    async def step_warmups(self) -> None:
        """Judge the days of warm-ups that are over, one warm-up a transaction."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.step_warmup(tx, now=utc_now())

    async def finish(self) -> None:
        """End sends whose last worker died just before it could."""
        async with self._db.transaction() as tx:
            await delivery.finish_all(tx, now=utc_now())

    async def bundle_messages(self) -> None:
        """Messages that wait in hundreds are taken a thousand at a time."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.gather_messages(tx) > 0

    async def tidy_messages(self) -> None:
        """Rolling sends stay small: what is done, or old enough, goes."""
        more = True
        while more:
            async with self._db.transaction() as tx:
                more = await delivery.tidy_messages(tx, now=utc_now())

    async def take_notifications(self) -> None:
        """Apply what providers told us, a batch of one workspace a transaction."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.take_notifications(tx, ids=self._message_ids, now=utc_now())

    async def take_inbound(self) -> None:
        """Read the mail that came back, and take out who asked for it by mail."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.take_inbound(tx, ids=self._message_ids, paths=self._return_paths, now=utc_now())
        await compliance.leave_by_mail(self._db, self._app.withdrawals, keys=self._app.keys, now=utc_now())

    async def poll_mailboxes(self) -> None:
        """Read the mailboxes that are due, one after the other."""
        while await delivery.poll_mailbox(self._db, keys=self._app.keys, now=utc_now()):
            pass

    async def collect_domains(self) -> None:
        """Go on through the domains of contacts, some thousand a transaction, so that it is hardly felt."""
        if self._app.resolver is not None:
            async with self._db.transaction() as tx:
                await delivery.collect_domains(tx, now=utc_now())

    async def read_accounts(self) -> None:
        """Ask providers what our accounts there may send."""
        await self._accounts.refresh(now=utc_now())

    async def look_up_domains(self) -> None:
        """Ask the DNS who runs the mailboxes of domains, for as long as it answers."""
        if self._app.resolver is not None:
            while await delivery.look_up_domains(self._db, self._app.resolver, now=utc_now()):
                pass

    async def cancel(self) -> None:
        """Carry cancellations through, a few chunks a transaction."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.cancel_some(tx, now=utc_now()) > 0
        async with self._db.transaction() as tx:
            await delivery.close_cancelled(tx, now=utc_now())

    async def gather_receipts(self) -> None:
        """Gather the receipts of sends that are over, some thousand a transaction."""
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.gather_receipts(tx, now=utc_now())

    async def expire(self) -> None:
        """Settle the chunks of workers that vanished, once we saw the database up for a whole lease.

        Every loss of the database begins the wait anew: workers that lost it with us must get their chance to renew.
        """
        connection = await self._db.connect()
        try:
            seen_up_since = last = steady()
            while True:
                await asyncio.sleep(2)
                await connection.execute("SELECT 1", timeout=5)
                if steady() - last > _GAP_SECONDS:  # we slept, or were frozen: perhaps the workers, too
                    seen_up_since = steady()
                last = steady()
                if last - seen_up_since > delivery.LEASE_SECONDS:
                    async with self._db.transaction() as tx:
                        await delivery.expire_leases(tx, now=utc_now())
        finally:
            connection.terminate()

    async def tidy(self) -> None:
        """Make the events' partitions ahead of time, and forget what nobody will ask for again."""
        async with self._db.transaction() as tx:
            await accounts.forget_answers(tx, now=utc_now())
            await delivery.forget_troubles(tx, now=utc_now())
            await delivery.forget_credentials(tx, now=utc_now())
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await consents.forget_unconfirmed(tx, now=utc_now()) > 0
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await forget_deleted(tx, now=utc_now()) > 0
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await imports.forget_uploads(tx, now=utc_now()) > 0
        await lists.sweep_lists(self._db, now=utc_now())
        async with self._db.transaction() as tx:
            await events.ensure_partitions(tx, now=utc_now() + timedelta(days=1))
        async with self._db.transaction() as tx:
            await delivery.ensure_feedback_partitions(tx, now=utc_now())
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.tidy_feedback(tx, now=utc_now())
        some = True
        while some:
            async with self._db.transaction() as tx:
                some = await delivery.tidy_inbound(tx, now=utc_now())
        place, some = None, True
        while some:
            async with self._db.transaction() as tx:
                place = await delivery.erase_feedback(tx, now=utc_now(), after=place)
                some = place is not None

    async def sweep_media(self) -> None:
        """Delete the files of images that were erased, and what died uploads left."""
        try:
            while await content.sweep_media(self._db, self._app.media, now=utc_now()):
                pass
            await self._app.media.objects.tidy()
        except Unavailable as error:
            _log.warning("images: sweeping is tried again in a minute: %s", error)

    async def _wake(self) -> None:
        async with self._launched:
            self._launched.notify_all()
