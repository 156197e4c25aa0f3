"""Taking away what campaigns and sends may still need: templates, files, images and providers. Who needs them is known here."""

from datetime import datetime

from tidings import content, delivery
from tidings.accounts import Principal
from tidings.campaigns._uses import using_attachment, using_provider, using_template
from tidings.core.crypto import Keyring
from tidings.core.db import Tx
from tidings.core.ids import AttachmentId, MediaId, ProviderId, TemplateId, WorkspaceId


async def delete_template(
    tx: Tx, *, workspace: WorkspaceId, template: TemplateId, by: Principal, now: datetime
) -> None:
    """Delete a template. Raises TemplateNotFound; TemplateInUse while campaigns that are still to go out use it."""
    # Locked before it is asked who uses it.
    await content.get_template(tx, workspace=workspace, template=template, lock=True)
    used_by = await using_template(tx, workspace=workspace, template=template)
    await content.delete_template(tx, workspace=workspace, template=template, used_by=used_by, by=by, now=now)


async def delete_attachment(
    tx: Tx, *, workspace: WorkspaceId, attachment: AttachmentId, by: Principal, now: datetime
) -> None:
    """Delete a file with its bytes, for ever; what was sent with it stays on record, without it.

    Raises AttachmentNotFound; AttachmentInUse while a template as it is now, a draft, or a message that is still to go out
    brings it along.
    """
    # Locked before it is asked who uses it: launches and saves that name it are over then, or see it gone.
    found = await content.lock_attachment(tx, workspace=workspace, attachment=attachment)
    used_by = [
        *await using_attachment(tx, workspace=workspace, attachment=attachment),
        *await delivery.unsent_with(tx, workspace=workspace, attached=found.attached),
    ]
    await content.delete_attachment(tx, workspace=workspace, attachment=attachment, used_by=used_by, by=by, now=now)


async def delete_media(
    tx: Tx, *, workspace: WorkspaceId, media: MediaId, erase: bool = False, by: Principal, now: datetime
) -> None:
    """Take an image out of the library; with `erase` its file goes, too, and mails that were sent show it no more.

    Raises MediaNotFound, MediaBusy; MediaInUse while a template as it is now or a block shows it, and with `erase` while a
    message does that is still to go out.
    """
    used_by: list[str] = []
    if erase:
        # Locked before it is asked who shows it: launches and saves that do are over then, or see it gone.
        found = await content.lock_media(tx, workspace=workspace, media=media, erase=True, now=now)
        used_by = await delivery.unsent_with(tx, workspace=workspace, image=found.path)
    await content.delete_media(tx, workspace=workspace, media=media, erase=erase, used_by=used_by, by=by, now=now)


async def delete_provider(
    tx: Tx, *, workspace: WorkspaceId, provider: ProviderId, keys: Keyring, by: Principal, now: datetime
) -> None:
    """Take a provider away, and erase its credentials. Raises ProviderNotFound.

    Raises ProviderInUse while a route has it, it is the default beside others, a draft names it, or something is still to go
    through it.
    """
    # Locked before it is asked who uses it: launches, messages and drafts that name it are over then, or see it gone.
    await delivery.lock_provider(tx, workspace=workspace, provider=provider)
    used_by = await using_provider(tx, workspace=workspace, provider=provider)
    await delivery.delete_provider(
        tx, workspace=workspace, provider=provider, used_by=used_by, keys=keys, by=by, now=now
    )
