"""A good body for every request that takes one, by the name of its schema: shown by the documentation, sent by the tests."""

from typing import Any

EXAMPLES: dict[str, Any] = {
    "NewImport": {
        "list_id": "list_1",
        "contacts": [
            {"email": "ada@example.com", "first_name": "Ada", "attributes": {"plan": "pro"}},
            {"email": "bob@example.com", "tags": ["vip"]},
        ],
    },
    "ImportChoices": {
        "list_ids": ["list_1"],
        "tags": ["spring fair"],
        "policy": "update",
        "mapping": {"Kundennummer": "field:customer_no:number", "Notes": "ignore"},
        "status": "active",
    },
    "NewContact": {
        "email": "eve@example.com",
        "first_name": "Eve",
        "time_zone": "Europe/London",
        "tags": ["vip"],
        "attributes": {"plan": "pro"},
        "list_ids": ["list_1"],
    },
    "ContactChanges": {"first_name": "Eva", "attributes": {"plan": "free", "trial_ends": None}},
    "NewSegment": {
        "name": "Active readers",
        "description": "opened thrice in a quarter",
        "conditions": {
            "and": [
                {"field": "status", "operator": "=", "value": "active"},
                {"field": "opened", "operator": ">=", "value": 3, "last": "90 days"},
            ]
        },
    },
    "SegmentChanges": {"conditions": {"field": "tags", "operator": "contains", "value": "vip"}},
    "SegmentToPreview": {"conditions": {"field": "lists", "operator": "is_set"}, "sample_size": 3},
    "AudienceIn": {"contact_list_ids": ["list_1"], "exclude_segment_ids": ["segment_1"]},
    "NewContactField": {"name": "plan", "label": "Plan", "type": "choice", "choices": ["free", "pro"]},
    "ContactFieldChanges": {"choices": ["free", "pro", "enterprise"]},
    "NewTag": {"name": "vip", "colour": "#1c7ed6"},
    "TagChanges": {"name": "VIP", "colour": "#e03131", "merge": True},
    "TaggingAll": {"add": ["vip"], "remove": ["trial"]},
    "Tagging": {"contact_ids": ["contact_1", "contact_2"], "add": ["vip"], "remove": ["trial"]},
    "ManyChanges": {"contact_ids": ["contact_1", "contact_2"], "changes": {"language": "de"}},
    "ManyToDelete": {"contact_ids": ["contact_1", "contact_2"]},
    "Merge": {"from": "contact_2", "prefer": "into", "address": "into"},
    "CampaignWanted": {"links": False, "spam": False, "domain": False},
    "TemplateWanted": {"links": False, "spam": False, "domain": False, "sample": 50},
    "Unsaved": {
        "subject": "Hi {{ first_name }}",
        "html_content": "<p>Hello {{ first_name | default: 'there' }}</p>",
        "links": False,
        "spam": False,
        "domain": False,
    },
    "Leaving": {"reason": "Too many messages"},
    "NewDomain": {"domain": "example.net", "algorithms": ["rsa", "ed25519"]},
    "NewInbound": {
        "recipient": "bounces@example.com",
        "content": "From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered\n\n<ada@example.com>: 550 5.1.1 no such user\n",
    },
    "NewMailbox": {"host": "imap.example.com", "username": "bounces@example.com", "password": "secret"},
    "DomainChange": {"return_path": "bounces.example.com"},
    "Retry": {"include_unknown": False},
    "Rotation": {"algorithms": ["ed25519"]},
    "NewList": {"name": "Newsletter", "description": "News, once a month"},
    "ListChanges": {"name": "Monthly newsletter"},
    "NewSubscription": {
        "email": "eve@example.com",
        "wording": "Yes, send me the newsletter",
        "ip": "203.0.113.7",
        "opt_in": "single",
    },
    "NewForm": {
        "name": "Website",
        "list_ids": ["list_1"],
        "fields": [{"name": "first_name", "required": False}],
        "opt_in": "single",
    },
    "FormChanges": {"consent": "Yes, send me the newsletter", "consent_box": True},
    "Contacts": {"contact_ids": ["contact_1"]},
    "NewMessage": {
        "to": "eve@example.com",
        "subject": "Your order {{ order.number }}",
        "text_content": "Thank you, {{ first_name }}. It is on its way.",
        "sender_email": "shop@example.com",
        "variables": {"first_name": "Eve", "order": {"number": 7}},
    },
    "NewTemplate": {
        "name": "Spring sale",
        "subject": "{{ first_name | default: 'Hello' }}, the sale has begun",
        "html_content": '<p>Have a look: <a href="https://example.com/sale">everything on sale</a>.</p>',
    },
    "TemplateChanges": {"subject": "Two days left"},
    "MediaChanges": {"alt_text": "Our shop in spring"},
    "NewBlock": {"name": "footer", "html_content": "<p>Example Shop, {{ workspace.postal_address }}</p>"},
    "BlockChanges": {"html_content": "<p>Example Shop since 1999, {{ workspace.postal_address }}</p>"},
    "TestSend": {"to": ["me@example.com"], "sender_email": "news@example.com"},
    "TestOf": {"to": ["me@example.com"], "contact_id": "contact_1"},
    "Samples": {"variables": {"first_name": "Ann", "plan": "pro"}},
    "NewCampaign": {
        "name": "Spring sale, Europe",
        "template_id": "template_1",
        "sender_email": "news@example.com",
        "sender_name": "Example Shop",
        "contact_list_ids": ["list_1"],
    },
    "CampaignChanges": {"subject": "Last days of the sale", "reply_to": "shop@example.com"},
    "NewProvider": {
        "name": "Our relay",
        "kind": "smtp",
        "config": {
            "host": "smtp.example.com",
            "port": 587,
            "tls": "starttls",
            "username": "tidings",
            "connections": 10,
        },
        "secret": {"password": "correct horse battery staple"},
        "is_default": True,
    },
    "ProviderChanges": {"name": "Relay in Frankfurt"},
    "NewRoute": {
        "name": "Relay, else SES",
        "strategy": "priority",
        "providers": [{"provider_id": "provider_1", "priority": 1}, {"provider_id": "provider_2", "priority": 2}],
        "is_default": True,
    },
    "RouteChanges": {
        "strategy": "weighted",
        "providers": [{"provider_id": "provider_1", "weight": 3}, {"provider_id": "provider_2", "weight": 1}],
    },
    "NewEvents": {
        "events": [
            {
                "id": "order-4711",
                "email": "ann@example.com",
                "name": "order",
                "at": "2026-03-01T12:00:00Z",
                "properties": {"total": 17.5, "currency": "EUR"},
            }
        ]
    },
    "Addresses": {"emails": ["ann@example.com"], "detail": "Asked us by phone", "source": "crm"},
    "Lifting": {
        "suppression_ids": ["suppression_1"],
        "reason": "Wrote to us",
        "consent": "Signed up again at our fair in Bonn on 2026-03-01, card no. 17",
    },
    "Forgetting": {"emails": ["ann@example.com"]},
    "NewWorkspace": {"name": "Example Ltd", "postal_address": "1 Main Street, London"},
    "WorkspaceChanges": {"postal_address": "2 Main Street, London"},
    "NewApiKey": {"name": "Web shop", "scopes": ["contacts:write", "lists:read"]},
    "Goodbye": {"token": "the-token-in-the-message", "reason": "Too many messages"},
}
