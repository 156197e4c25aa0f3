"""Who may be mailed? This package is a map: each part has a face of its own, `from tidings.audience import lists`.

Ways in and out of a workspace: `imports`, `forms`, `consents`, `leaving`, `exports`.
Whom we know: `contacts` (one), `bulk` (many), `search`, `merging`, `gone` (who is no more), `fields`, `tags`, `custom_events`.
Who gets it: `lists`, `subscriptions`, `segments`, `suppressions`, and of all these together `recipients`.
Words that all of them share: `addresses`, `states`, `spreadsheets`.

Parts import each other's faces downward only, in the order that pyproject.toml has under "Inside audience, imports point
down". Each part's docstring says which tables it owns. See docs/decisions/0240-audience-in-parts.md.
"""
