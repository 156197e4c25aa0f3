"""Every router of the API, one line each, in the order of the documentation."""

from tidings.api import api_keys, campaigns, providers, workspaces

ROUTERS = (
    workspaces.router,
    api_keys.router,
    campaigns.router,
    providers.router,
)
