"""The theme of Markdown: one column, readable at any width, light and dark."""

_STYLE = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
body { margin: 0; padding: 0; background: #f3f4f6; }
.sheet { background: #ffffff; color: #1f2937; }
.sheet { font: 16px/26px -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; }
.sheet { word-break: break-word; }
.sheet h1, .sheet h2, .sheet h3 { color: #111827; font-weight: 700; margin: 28px 0 12px; }
.sheet h1 { font-size: 28px; line-height: 36px; margin-top: 0; }
.sheet h2 { font-size: 21px; line-height: 30px; }
.sheet h3 { font-size: 17px; line-height: 26px; }
.sheet p, .sheet ul, .sheet ol { margin: 0 0 16px; }
.sheet ul, .sheet ol { padding-left: 24px; }
.sheet li { margin: 0 0 6px; }
.sheet a { color: #1d4ed8; text-decoration: underline; }
.sheet img { border: 0; max-width: 100%; height: auto; border-radius: 6px; }
.sheet blockquote { margin: 0 0 16px; padding: 2px 0 2px 16px; border-left: 4px solid #d1d5db; color: #4b5563; }
.sheet blockquote p { margin: 0 0 8px; }
.sheet code { font: 14px/22px ui-monospace, Menlo, Consolas, monospace; background: #f3f4f6; padding: 2px 5px; border-radius: 4px; }
.sheet pre { margin: 0 0 16px; padding: 14px 16px; background: #f3f4f6; border-radius: 6px; white-space: pre-wrap; }
.sheet pre code { padding: 0; background: none; }
.sheet hr { border: 0; border-top: 1px solid #e5e7eb; margin: 28px 0; }
.sheet table { border-collapse: collapse; width: 100%; margin: 0 0 16px; }
.sheet th, .sheet td { padding: 8px 10px; border-bottom: 1px solid #e5e7eb; vertical-align: top; text-align: left; }
.sheet th { border-bottom: 2px solid #d1d5db; font-weight: 600; }
@media (max-width: 480px) {
  .frame { padding: 0 !important; }
  .sheet { padding: 24px 20px !important; border-radius: 0 !important; }
}
@media (prefers-color-scheme: dark) {
  body, .frame, .outer { background: #111827 !important; }
  .sheet { background: #1f2937 !important; color: #e5e7eb !important; }
  .sheet h1, .sheet h2, .sheet h3 { color: #f9fafb !important; }
  .sheet a { color: #93c5fd !important; }
  .sheet blockquote { color: #d1d5db !important; border-left-color: #4b5563 !important; }
  .sheet code, .sheet pre { background: #374151 !important; }
  .sheet hr, .sheet th, .sheet td { border-color: #374151 !important; }
}
"""

_HEAD = f"""<!doctype html>
<html dir="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<style>{_STYLE}</style>
</head>
<body>
<table class="outer" role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6"><tr>\
<td class="frame" align="center" style="padding:24px 12px">
<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0"><tr><td><![endif]-->
<div class="sheet" style="max-width:520px;padding:32px 40px;border-radius:8px;text-align:start">
"""
_TAIL = """</div>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"""


def page(body: str) -> str:
    """The body in a document of its own; its styles are still to be inlined."""
    return _HEAD + body + _TAIL
