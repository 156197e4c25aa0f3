"""Who runs the mailboxes of a domain, by its MX records: looked up in the background, believed for a while."""

from datetime import timedelta
from pathlib import Path

from delivery_world import eventually, world
from tidings.core.clock import utc_now
from tidings.core.db import Database
from tidings.delivery import collect_domains, look_up_domains
from tidings.delivery.domains._dns import RecordType, Unanswered
from tidings.delivery.limits._recipient_domains import MailboxProviders


class _Dns:
    def __init__(self, **mx: list[str]) -> None:
        self.mx = {name.replace("_", "."): hosts for name, hosts in mx.items()}
        self.offline = False
        self.asked = list[str]()

    async def lookup(self, name: str, kind: RecordType) -> list[str]:
        assert kind == "MX"
        self.asked.append(name)
        if self.offline or name == "silent.example":
            raise Unanswered("no")
        return self.mx.get(name, [])


async def test_domains_of_contacts_are_looked_up_once_and_again_when_old(db: Database, tmp_path: Path) -> None:
    dns = _Dns(corp_example=["1 aspmx.l.google.com"], firm_example=["0 firm-example.mail.protection.outlook.com"])
    async with world(db, tmp_path, working=False) as w:
        await w.contacts(
            "a@corp.example", "b@CORP.example", "c@firm.example", "d@silent.example", "e@gmail.com", "f@n.example"
        )
        now = utc_now()
        async with db.transaction() as tx:
            assert await collect_domains(tx, now=now)
        async with db.transaction() as tx:
            assert not await collect_domains(tx, now=now), "all contacts were seen"
        assert not await look_up_domains(db, dns, now=now)
        assert sorted(dns.asked) == ["corp.example", "firm.example", "n.example", "silent.example"]
        groups = MailboxProviders(db)
        await groups.learn(["corp.example", "firm.example", "n.example", "silent.example", "gmail.com"])
        found = {
            one: groups.of(one) for one in ("corp.example", "firm.example", "n.example", "silent.example", "gmail.com")
        }
        assert found == {
            "corp.example": "google", "firm.example": "microsoft", "n.example": "", "silent.example": "", "gmail.com": "google",
        }  # fmt: skip

        async def asked_after(**time: int) -> list[str]:
            dns.asked.clear()
            await look_up_domains(db, dns, now=now + timedelta(**time))
            return sorted(dns.asked)

        assert await asked_after(minutes=9) == []
        assert await asked_after(minutes=11) == ["silent.example"]
        assert await asked_after(minutes=25) == [], "longer and longer"
        assert await asked_after(days=4) == ["n.example", "silent.example"]
        # Offline: what is known stays, and is asked for again later.
        dns.offline = True
        assert await asked_after(days=15) == ["corp.example", "firm.example", "n.example", "silent.example"]
        await (again := MailboxProviders(db)).learn(["corp.example"])
        assert again.of("corp.example") == "google"


async def test_a_company_at_google_counts_as_google(db: Database, tmp_path: Path) -> None:
    async with world(db, tmp_path, limits={"google": {"per_minute": 5}}) as w:
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO recipient_domains (domain, mailbox_provider) VALUES ('corp.example', 'google')"
            )
        await w.contacts(*(f"g{n}@{'gmail.com' if n % 2 else 'corp.example'}" for n in range(20)), "o@other.example")
        await w.launch(await w.campaign())
        await eventually(w.states, lambda seen: sum(state == "deferred" for state, _ in seen.values()) == 15)
        assert len(w.server.recipients) == 6
