"""Every router of the API, one line each, in the order of the documentation. The first that matches answers."""

from tidings.api import (
    api_keys,
    audiences,
    campaigns,
    contact_fields,
    contact_history,
    contacts,
    contacts_bulk,
    imports,
    lists,
    providers,
    public,
    tags,
    templates,
    workspaces,
)

ROUTERS = (
    imports.router,
    contacts_bulk.router,
    contacts.router,
    contact_history.router,
    contact_fields.router,
    tags.router,
    lists.router,
    imports.status_router,
    templates.router,
    audiences.router,
    campaigns.router,
    providers.router,
    workspaces.router,
    api_keys.router,
    public.router,
)
