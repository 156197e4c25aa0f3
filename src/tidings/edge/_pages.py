"""The few pages that strangers see: plain HTML that works everywhere, without scripts."""

from collections.abc import Sequence
from html import escape

from tidings.compliance import Access, Filled, Preferences, ShownForm, form_inputs
from tidings.edge._texts import TEXTS

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1f2925; --paper: #fff; --ground: #f1f0ec; --soft: #5d6a64; --line: #8b9690;
  --mark: #1c6b4f; --wrong: #a3262a; --tint: #eef4f0; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e9ece9; --paper: #1e2321; --ground: #141716; --soft: #a0aba6; --line: #75817b; --mark: #6fcda6;
    --wrong: #ff9a95; --tint: #27302c; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink);
  font: 17px/1.5 system-ui, sans-serif; padding: 16px; }}
main {{ background: var(--paper); border-radius: 12px; padding: clamp(20px, 6vw, 32px); max-width: 480px; width: 100%;
  overflow-wrap: anywhere; box-shadow: 0 1px 3px rgb(0 0 0 / .15); }}
h1 {{ font-size: 1.35rem; line-height: 1.25; text-wrap: balance; margin: 0 0 12px; }}
p {{ margin: 0 0 16px; }} p:last-child {{ margin-bottom: 0; }} .soft {{ color: var(--soft); font-size: .9rem; margin: 16px 0 0; }}
a {{ color: var(--mark); }}
label {{ display: block; font-size: .95rem; margin: 0 0 6px; }} .optional {{ color: var(--soft); }}
input, select {{ width: 100%; font: inherit; padding: 10px; border-radius: 8px; border: 1px solid var(--line);
  margin: 0 0 18px; background: var(--paper); color: var(--ink); }}
[aria-invalid] {{ border-color: var(--wrong); margin-bottom: 4px; }}
.error, .error:last-child {{ color: var(--wrong); font-size: .9rem; margin: 0 0 16px; }}
.check {{ display: flex; gap: 10px; align-items: start; margin: 0 0 18px; }} .check label {{ margin: 0; }}
input[type=checkbox] {{ width: 20px; height: 20px; flex: none; margin: 2px 0 0; accent-color: var(--mark); }}
.check + .error {{ margin-top: -12px; }}
.consent {{ font-size: .9rem; color: var(--soft); }}
.note {{ background: var(--tint); border-radius: 8px; padding: 10px 14px; }}
fieldset {{ border: 0; margin: 0 0 8px; padding: 0; }} legend {{ padding: 0; margin: 0 0 14px; }}
fieldset .check:last-child {{ margin-bottom: 12px; }}
.check small {{ display: block; color: var(--soft); font-size: .9rem; }}
button {{ font: inherit; font-weight: 600; padding: 12px 20px; border: 0; border-radius: 8px; background: var(--mark);
  color: var(--paper); cursor: pointer; width: 100%; }}
button.quiet {{ background: none; color: var(--soft); font-weight: 400; text-decoration: underline; margin-top: 8px; }}
button:focus-visible, select:focus-visible, input:focus-visible, a:focus-visible {{ outline: 3px solid var(--mark);
  outline-offset: 2px; }}
</style></head><body><main>{body}</main></body></html>
"""

REASONS = tuple(TEXTS["en"][f"reason_{number}"] for number in range(5))
"""What is kept, whichever language it was chosen in."""


def ask(sender: str, language: str = "en", *, fewer: str = "") -> bytes:
    """Does this person want to leave? Asking changes nothing. `fewer` is where they can choose among lists instead."""
    said = _Said(language, sender=sender)
    options = "".join(
        f'<option value="{escape(reason)}">{said[f"reason_{number}"]}</option>' for number, reason in enumerate(REASONS)
    )
    instead = f'<p class="soft"><a href="{escape(fewer)}">{said["fewer"]}</a></p>' if fewer else ""
    return _page(
        said,
        "unsubscribe",
        f"""<h1>{said["unsubscribe_ask"]}</h1>
<p>{said["unsubscribe_what"]}</p>
<form method="post"><label for="reason">{said["why"]}</label>
<select id="reason" name="reason"><option value="">{said["rather_not"]}</option>{options}</select>
<button type="submit">{said["unsubscribe"]}</button></form>{instead}
<p class="soft">{said["nothing_yet"]}</p>""",
    )


def gone(sender: str, language: str = "en") -> bytes:
    """They left."""
    said = _Said(language, sender=sender)
    return _page(said, "unsubscribed", f"<h1>{said['unsubscribed_done']}</h1><p>{said['unsubscribed_what']}</p>")


def choices(stands: Preferences | None, sender: str, language: str, *, saved: bool = False) -> bytes:
    """Which lists somebody is on, to be switched."""
    if stands is None:
        said = _Said(language, sender=sender)
        return _page(said, "nobody", f"<h1>{said['nobody']}</h1><p>{said['nobody_what']}</p>")
    said = _Said(language, sender=sender, email=stands.email)
    if stands.access is Access.CLOSED:
        return _page(said, "preferences", f"<h1>{said['unsubscribed_done']}</h1><p>{said['closed']}</p>")
    notes = [said["left_all"]] if stands.access is Access.LEFT else []
    notes = [said["saved"], *notes] if saved else notes
    boxes = "".join(
        f'<div class="check"><input type="hidden" name="shown" value="{choice.id}">'
        f'<input type="checkbox" id="list-{choice.id}" name="list" value="{choice.id}"{" checked" if choice.on else ""}>'
        f'<label for="list-{choice.id}">{escape(choice.name)}'
        f"{f'<small>{escape(choice.description)}</small>' if choice.description else ''}</label></div>"
        for choice in stands.choices
    )
    save = f'<button type="submit" name="act" value="save">{said["save"]}</button>' if boxes else ""
    leave = f'<button type="submit" class="quiet" name="act" value="leave">{said["leave_all"]}</button>'
    return _page(
        said,
        "preferences",
        f"""<h1>{said["preferences"]}</h1>{_note(" ".join(notes))}
<form method="post"><fieldset><legend>{said["preferences_what"]}</legend>{boxes or f"<p>{said['no_lists']}</p>"}</fieldset>
{save}{leave if stands.access is Access.OPEN else ""}</form>""",
    )


def signup(shown: ShownForm, filled: Filled, *, ticket: str, note: str = "") -> bytes:
    """A signup form. `note` is the key of a text above it."""
    said = _Said(shown.language, sender=shown.sender)
    intro = "".join(f"<p>{escape(line)}</p>" for line in shown.form.intro.splitlines() if line.strip())
    return _page(
        said,
        shown.title,
        f"""<h1>{escape(shown.title)}</h1>{intro}{_note(said[note]) if note else ""}
<form method="post" accept-charset="utf-8">{form_inputs(shown, filled, ticket=ticket)}</form>""",
        title_is_text=True,
    )


def confirm(sender: str, email: str, lists: Sequence[str], language: str) -> bytes:
    """Did the owner of the address ask for this? Looking changes nothing."""
    said = _Said(language, sender=sender, email=email, lists=", ".join(lists))
    return _page(
        said,
        "confirm",
        f"""<h1>{said["confirm"]}</h1><p>{said["confirm_what"]}</p>
<form method="post"><button type="submit" name="act" value="confirm">{said["confirm_yes"]}</button>
<button type="submit" class="quiet" name="act" value="decline">{said["confirm_no"]}</button></form>
<p class="soft">{said["confirm_nothing"]}</p>""",
    )


def expired(sender: str, email: str, language: str, *, form: str = "") -> bytes:
    """Too late; a new one can be had. `form` is where they can sign up anew."""
    said = _Said(language, sender=sender, email=email)
    link = f'<p class="soft"><a href="{escape(form)}">{said["to_the_form"]}</a></p>' if form else ""
    return _page(
        said,
        "expired",
        f"""<h1>{said["expired"]}</h1><p>{said["expired_what"]}</p>
<form method="post"><button type="submit" name="act" value="again">{said["send_new"]}</button></form>{link}""",
    )


def message(key: str, language: str, text: str = "", *, form: str = "", **known: str) -> bytes:
    """A heading and a sentence: the texts `key` and `key_what`, or `text` in place of the latter."""
    said = _Said(language, **known)
    told = (
        "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line.strip())
        or f"<p>{said[f'{key}_what']}</p>"
    )
    link = f'<p><a href="{escape(form)}">{said["to_the_form"]}</a></p>' if form else ""
    return _page(said, key, f"<h1>{said[key]}</h1>{told}{link}")


def problem(title: str, text: str) -> bytes:
    """Something is not as it should be, in a sentence or two."""
    return _page(_Said("en"), title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>", title_is_text=True)


class _Said:
    """Our texts in a language, filled in and escaped."""

    def __init__(self, language: str, **known: str) -> None:
        self.language = language if language in TEXTS else "en"
        self._known = known

    def __getitem__(self, key: str) -> str:
        return escape(TEXTS[self.language][key].format(**self._known))


def _note(text: str) -> str:
    return f'<p class="note" role="status">{text}</p>' if text else ""


def _page(said: _Said, title: str, body: str, *, title_is_text: bool = False) -> bytes:
    shown = escape(title) if title_is_text else said[title]
    return _PAGE.format(language=said.language, title=shown, body=body).encode("utf-8", "replace")
