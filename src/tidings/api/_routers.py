"""Every router of the API, one line each, in the order of the documentation. The first that matches answers."""

from tidings.api import api_keys, campaigns, contacts, imports, lists, providers, public, templates, workspaces

ROUTERS = (
    imports.router,
    contacts.router,
    lists.router,
    imports.status_router,
    templates.router,
    campaigns.router,
    providers.router,
    workspaces.router,
    api_keys.router,
    public.router,
)
