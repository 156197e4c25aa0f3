"""What must be there before anything is sent."""

from collections.abc import Sequence

from tidings import accounts, audience, content, delivery
from tidings.core.db import Tx
from tidings.core.errors import Conflict, FieldProblem
from tidings.core.ids import ListId, ProviderId, TemplateId, WorkspaceId


class NotReady(Conflict):
    """The campaign is well formed, but something it needs is missing; `fields` says what, and how to mend it."""

    code = "not_ready"


async def preflight(
    tx: Tx,
    *,
    workspace: WorkspaceId,
    lists: Sequence[ListId],
    excluded: Sequence[ListId],
    provider: ProviderId | None,
    template: TemplateId,
) -> None:
    """Raises NotReady with everything that stands in the way of a send. (CAN-SPAM 15 U.S.C. 7704(a)(5): postal address.)"""
    problems: list[FieldProblem] = []
    owner = await accounts.get_workspace(tx, workspace=workspace)
    if not owner.postal_address.strip():
        problems.append(
            FieldProblem("workspace.postal_address", "the law asks for your postal address in every message: set it")
        )
    if provider is None and await delivery.default_provider(tx, workspace=workspace) is None:
        problems.append(FieldProblem("provider_id", "there is no provider to send through yet: add one"))
    gone = await audience.missing_lists(tx, workspace=workspace, lists=[*lists, *excluded])
    if gone:
        problems.append(FieldProblem("contact_list_ids", "a list of this campaign was deleted: choose another"))
    elif not await audience.anyone(tx, workspace=workspace, lists=lists, excluded=excluded):
        problems.append(
            FieldProblem("contact_list_ids", "nobody is subscribed to these lists: there is no one to send to")
        )
    try:
        await content.get_template(tx, workspace=workspace, template=template)
    except content.TemplateNotFound:
        problems.append(FieldProblem("template_id", "this campaign's template was deleted: choose another"))
    if problems:
        raise NotReady("; ".join(f"{p.field}: {p.message}" for p in problems), fields=tuple(problems))
