"""`tidings template` and `tidings campaign`: what is said, and how it looks before it goes out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tidings.cli._running import print_json
from tidings.cli._running import run as _run
from tidings.cli._running import settings as _settings

templates = typer.Typer(no_args_is_help=True, help="Templates and their versions.")
campaigns = typer.Typer(no_args_is_help=True, help="Campaigns before they go out.")

Which = Annotated[str, typer.Argument(metavar="TEMPLATE", help="its name or id")]
Campaign = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="its id, such as campaign_1")]
Workspace = Annotated[str, typer.Option(help="the workspace's name or id")]
Json = Annotated[bool, typer.Option("--json", help="JSON, as the API has it, on standard output")]
At = Annotated[int | None, typer.Option("--version", min=1, help="an older version; the current one, if not given")]
AsContact = Annotated[str, typer.Option("--contact", help="whose values fill it in: an address or an id")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="over those; may be repeated")]
To = Annotated[list[str], typer.Option(help="an address, ten at most; may be repeated")]
Prefix = Annotated[str, typer.Option(help="what the subject begins with")]
Part = Annotated[str, typer.Option(help="write this alone, as it is: html, text, subject or preheader")]
Network = Annotated[bool, typer.Option(help="ask for links and images, the spam filter and the DNS, too")]


@templates.command("list")
def template_list(
    search: Annotated[str, typer.Option(help="part of a name or a subject")] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """List templates, newest first."""
    from tidings.cli import templating

    found = _run(templating.list_templates(_settings(), workspace=workspace, search=search))
    if json:
        from tidings.api.templates import SummaryOut

        print_json({"items": [SummaryOut.of(one).model_dump(mode="json") for one in found]})
    else:
        templating.show_list(found)


@templates.command("show")
def template_show(
    template: Which,
    version: At = None,
    part: Annotated[
        str, typer.Option(help="write this alone, as it is: html, text, source, subject or preheader")
    ] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Show a template, at its current version or an older one."""
    from tidings.cli import templating

    async def wanted() -> Any:
        found = await templating.get_template(_settings(), workspace=workspace, template=template, version=version)
        return found, templating.part_of(found, part) if part else ""

    found, alone = _run(wanted())
    if part:
        typer.echo(alone, nl=not alone.endswith("\n"))
    elif json:
        print_json(_template_json(found))
    else:
        templating.show_template(found)


@templates.command("save")
def template_save(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".html, .mjml, .md, or a block document as .json")],
    template: Annotated[str, typer.Option(help="its name or id; else the file's name without its ending")] = "",
    name: Annotated[str | None, typer.Option(help="call it so from now on")] = None,
    subject: Annotated[str | None, typer.Option(help="Liquid; a new template needs one")] = None,
    preheader: Annotated[str | None, typer.Option(help="Liquid: what inboxes show beside the subject")] = None,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the text part; else it is derived from the HTML")
    ] = None,
    inline_css: Annotated[bool | None, typer.Option(help="write the styles of <style> into the elements")] = None,
    strict: Annotated[bool | None, typer.Option(help="send no message that would write what is undefined")] = None,
    attachment: Annotated[
        list[str] | None, typer.Option(help="an id; may be repeated; in place of those it has")
    ] = None,
    no_attachments: Annotated[bool, typer.Option("--no-attachments", help="it brings no files along")] = False,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Save a file as a template: as the next version of the one with this name, or as a new one. What is not given stays."""
    from tidings.cli import templating

    if attachment and no_attachments:
        raise typer.BadParameter("give attachments or none, not both", param_hint="--no-attachments")
    saving = templating.Saving(
        file=file,
        template=template,
        name=name,
        subject=subject,
        preheader=preheader,
        text=text,
        inline_css=inline_css,
        strict=strict,
        attachments=[] if no_attachments else attachment,
    )
    saved, before = _run(templating.save_template(_settings(), saving, workspace=workspace))
    if json:
        print_json(_template_json(saved))
        return
    what = "new" if not before else "nothing changed" if saved.version == before else f"was version {before}"
    typer.echo(f"template_{saved.id} {saved.name}: version {saved.version} ({what})")


@templates.command("versions")
def template_versions(template: Which, workspace: Workspace = "", json: Json = False) -> None:
    """List every version, newest first: when it was saved, and by whom."""
    from tidings.cli import templating

    found = _run(templating.list_versions(_settings(), workspace=workspace, template=template))
    if json:
        from dataclasses import asdict

        print_json({"items": [asdict(one) for one in found]})
    else:
        templating.show_versions(found)


@templates.command("diff")
def template_diff(
    template: Which,
    older: Annotated[int, typer.Argument(min=1)],
    newer: Annotated[int | None, typer.Argument(min=1, help="the current one, if not given")] = None,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Show what changed from one version to another, as unified diffs."""
    from tidings.cli import templating

    found = _run(
        templating.diff_versions(_settings(), workspace=workspace, template=template, older=older, newer=newer)
    )
    if json:
        from dataclasses import asdict

        print_json(asdict(found))
    else:
        templating.show_difference(found)


@templates.command("restore")
def template_restore(
    template: Which,
    version: Annotated[int, typer.Argument(min=1)],
    without_deleted_attachments: Annotated[
        bool, typer.Option("--without-deleted-attachments", help="else a version that had some is refused")
    ] = False,
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Make an older version's content the newest version."""
    from tidings.cli import templating

    restored = _run(
        templating.restore_version(
            _settings(),
            workspace=workspace,
            template=template,
            version=version,
            without_deleted=without_deleted_attachments,
        )
    )
    if json:
        print_json(_template_json(restored))
    else:
        typer.echo(f"template_{restored.id} {restored.name}: version {restored.version}, as version {version} had it")


@templates.command("delete")
def template_delete(template: Which, workspace: Workspace = "") -> None:
    """Delete a template. Refused while campaigns that are still to go out use it."""
    from tidings.cli import templating

    typer.echo(_run(templating.delete_template(_settings(), workspace=workspace, template=template)))


@templates.command("preview")
def template_preview(
    template: Which,
    contact: AsContact = "",
    set_: Set = None,
    version: At = None,
    part: Part = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Show what somebody would read, by the code that fills in real messages, and which variables are missing where."""
    from tidings.cli import previewing

    async def wanted() -> Any:
        return await previewing.preview_template(
            _settings(),
            workspace=workspace,
            template=template,
            version=version,
            contact=contact,
            values=previewing.values_of(set_ or []),
        )

    _show_preview(_run(wanted()), part=part, json=json)


@templates.command("check")
def template_check(
    template: Which, contact: AsContact = "", network: Network = True, workspace: Workspace = "", json: Json = False
) -> None:
    """Look a template over before it is sent. Ends with 1 if there is an error."""
    from tidings.cli import checking, previewing

    report = _run(
        previewing.check_template(_settings(), workspace=workspace, template=template, contact=contact, network=network)
    )
    checking.show(report, json=json)
    if not report.ok:
        raise typer.Exit(1)


@templates.command("test")
def template_test(
    template: Which,
    to: To,
    contact: AsContact = "",
    set_: Set = None,
    version: At = None,
    subject_prefix: Prefix = "[Test] ",
    sender: Annotated[str, typer.Option(help="whom it is from; the workspace's sender, if not given")] = "",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Send a template to addresses of your own, as somebody would get it. Nothing of it is counted."""
    from tidings.cli import previewing

    async def wanted() -> list[str]:
        return await previewing.test_template(
            _settings(),
            workspace=workspace,
            template=template,
            version=version,
            to=to,
            contact=contact,
            values=previewing.values_of(set_ or []),
            subject_prefix=subject_prefix,
            sender_email=sender,
        )

    _queued(_run(wanted()), to, json=json)


@campaigns.command("preview")
def campaign_preview(
    campaign: Campaign, contact: AsContact = "", part: Part = "", workspace: Workspace = "", json: Json = False
) -> None:
    """Show what a contact would read, or else somebody of the audience; what was launched, as it was launched."""
    from tidings.cli import previewing

    shown = _run(previewing.preview_campaign(_settings(), workspace=workspace, campaign=campaign, contact=contact))
    _show_preview(shown, part=part, json=json)


@campaigns.command("check")
def campaign_check(campaign: Campaign, network: Network = True, workspace: Workspace = "", json: Json = False) -> None:
    """Look a campaign over, filled in for some of its audience. Ends with 1 if there is an error: the launch refuses it."""
    from tidings.cli import checking, previewing

    report = _run(previewing.check_campaign(_settings(), workspace=workspace, campaign=campaign, network=network))
    checking.show(report, json=json)
    if not report.ok:
        raise typer.Exit(1)


@campaigns.command("test")
def campaign_test(
    campaign: Campaign,
    to: To,
    contact: AsContact = "",
    set_: Set = None,
    subject_prefix: Prefix = "[Test] ",
    workspace: Workspace = "",
    json: Json = False,
) -> None:
    """Send a campaign to addresses of your own, as a contact or somebody of the audience would get it."""
    from tidings.cli import previewing

    async def wanted() -> list[str]:
        return await previewing.test_campaign(
            _settings(),
            workspace=workspace,
            campaign=campaign,
            to=to,
            contact=contact,
            values=previewing.values_of(set_ or []),
            subject_prefix=subject_prefix,
        )

    _queued(_run(wanted()), to, json=json)


def _show_preview(shown: Any, *, part: str, json: bool) -> None:
    from tidings.cli import previewing
    from tidings.cli._running import in_sentences

    if json:
        from tidings.api._previews import PreviewOut

        print_json(PreviewOut.of(shown).model_dump(mode="json"))
        return
    with in_sentences():
        previewing.show_preview(shown, part=part)


def _queued(messages: list[str], to: list[str], *, json: bool) -> None:
    if json:
        print_json({"message_ids": messages})
        return
    for message, address in zip(messages, to, strict=False):
        typer.echo(f"{message}: queued to {address}")


def _template_json(template: Any) -> Any:
    from tidings.api.templates import TemplateOut

    return TemplateOut.of(template).model_dump(mode="json")
