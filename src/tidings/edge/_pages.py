"""The few pages that strangers see: plain HTML that works everywhere, without scripts."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1f2925; --paper: #fff; --ground: #f1f0ec; --soft: #5d6a64; --mark: #1c6b4f; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e9ece9; --paper: #1e2321; --ground: #141716; --soft: #a0aba6; --mark: #6fcda6; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink);
  font: 17px/1.5 system-ui, sans-serif; padding: 16px; }}
main {{ background: var(--paper); border-radius: 12px; padding: clamp(20px, 6vw, 32px); max-width: 480px; width: 100%;
  overflow-wrap: anywhere; box-shadow: 0 1px 3px rgb(0 0 0 / .15); }}
h1 {{ font-size: 1.35rem; line-height: 1.25; text-wrap: balance; margin: 0 0 12px; }}
p {{ margin: 0 0 16px; }} p:last-child {{ margin-bottom: 0; }} .soft {{ color: var(--soft); font-size: .9rem; margin: 16px 0 0; }}
label {{ display: block; font-size: .95rem; margin: 0 0 6px; }}
select {{ width: 100%; font: inherit; padding: 10px; border-radius: 8px; border: 1px solid var(--soft); margin: 0 0 20px;
  background: var(--paper); color: var(--ink); }}
button {{ font: inherit; font-weight: 600; padding: 12px 20px; border: 0; border-radius: 8px; background: var(--mark);
  color: var(--paper); cursor: pointer; width: 100%; }}
button:focus-visible, select:focus-visible {{ outline: 3px solid var(--mark); outline-offset: 2px; }}
</style></head><body><main>{body}</main></body></html>
"""

REASONS = (
    "Too many messages",
    "The content is not for me",
    "I never signed up",
    "I use another address now",
    "Another reason",
)


def ask(sender: str) -> bytes:
    """Does this person want to leave? Asking changes nothing."""
    options = "".join(f"<option>{escape(reason)}</option>" for reason in REASONS)
    return _page(
        "Unsubscribe",
        f"""<h1>Unsubscribe from {escape(sender)}?</h1>
<p>You will get no more campaigns from {escape(sender)}. It takes effect at once.</p>
<form method="post"><label for="reason">Why? (optional)</label>
<select id="reason" name="reason"><option value="">I would rather not say</option>{options}</select>
<button type="submit">Unsubscribe</button></form>
<p class="soft">Changed your mind? Just close this page: nothing has been changed.</p>""",
    )


def gone(sender: str) -> bytes:
    """They left."""
    return _page(
        "Unsubscribed",
        f"<h1>You are unsubscribed</h1><p>{escape(sender)} will send you no more campaigns. You can close this page.</p>",
    )


def problem(title: str, text: str) -> bytes:
    """Something is not as it should be, in a sentence or two."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def _page(title: str, body: str) -> bytes:
    return _PAGE.format(title=escape(title), body=body).encode()
