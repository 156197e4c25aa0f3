"""The newsletter of the demo: about ten variables, conditionals, fifteen links."""

SUBJECT = "{{ first_name | default: 'Hello' }}, {{ points }} points are waiting for you"

_OFFERS = [
    ("Walking boots", "boots"),
    ("A tent for two", "tent"),
    ("Rain jackets", "jackets"),
    ("Wool socks", "socks"),
    ("Head torches", "torches"),
    ("Camping stoves", "stoves"),
    ("Maps and guides", "maps"),
    ("Water filters", "filters"),
    ("Climbing ropes", "ropes"),
    ("Sleeping bags", "bags"),
]

HTML = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>North Trail</title></head>
<body style="margin:0;background:#f4f2ec;font-family:Georgia,serif;color:#23302b">
<table role="presentation" width="100%"><tr><td align="center">
<table role="presentation" width="600" style="background:#fff;padding:24px">
<tr><td>
<p><a href="https://shop.example.com/"><b>North Trail</b></a></p>
<h1>{% if language == "de" %}Guten Tag{% elsif language == "pt" %}Bom dia{% else %}Hello{% endif %}
 {{ first_name | default: "friend" }} {{ last_name }}</h1>
{% if contact.tags contains 'vip' %}
<p style="background:#ffe9a8;padding:12px">You are one of our best customers:
 <a href="https://shop.example.com/vip">open the early sale</a> before everybody else.</p>
{% endif %}
<p>You have <b>{{ points }}</b> points on your {{ plan | upcase }} plan, collected since {{ member_since }}.
{% if plan == "free" %}<a href="https://shop.example.com/plans">See what the gold plan adds</a>.{% endif %}</p>
<p>The weather in {{ city }} is made for going out. Ten things for the season:</p>
<ul>
"""
    + "".join(
        f'<li><a href="https://shop.example.com/{slug}?utm_source=news">{name}</a></li>\n' for name, slug in _OFFERS
    )
    + """</ul>
<p><a href="https://shop.example.com/account?city={{ city | url_encode }}">Your account</a> ·
<a href="https://shop.example.com/help">Help</a></p>
<hr>
<p style="font-size:12px;color:#66716c">Sent to {{ email }} by {{ workspace.name }}, {{ workspace.postal_address }}.
<a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
</td></tr></table></td></tr></table></body></html>
"""
)

TEXT = """Hello {{ first_name | default: "friend" }},

you have {{ points }} points on your {{ plan }} plan. The weather in {{ city }} is made for going out:
https://shop.example.com/boots?utm_source=news

{{ workspace.name }}, {{ workspace.postal_address }}
Unsubscribe: {{ unsubscribe_url }}
"""
