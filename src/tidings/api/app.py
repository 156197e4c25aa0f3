"""The API as an ASGI application."""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from tidings import campaigns
from tidings.api import _openapi, _reference, health, problems, public
from tidings.api._auth import Doorkeeper
from tidings.api._routers import ROUTERS
from tidings.bootstrap import App

PREFIX = "/api/v1"


def create_app(app: App) -> FastAPI:
    """The whole API over one App. The caller serves it (ASGI) and closes the App afterwards."""
    api = FastAPI(
        title="Tidings",
        version=version("tidings"),
        description="Email campaigns: contacts, lists, templates, campaigns and their reports.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    api.state.tidings = app
    api.state.doorkeeper = Doorkeeper(app.db)
    api.state.goodbyes = public.allowance()
    api.state.exports = set[object]()
    api.state.speedometer = campaigns.Speedometer()
    problems.install(api)
    for router in ROUTERS:
        api.include_router(router, prefix=PREFIX)
    api.include_router(health.router)
    _openapi.complete(api)
    _reference.install(api, path=f"{PREFIX}/docs")
    return api


def _operation_id(route: APIRoute) -> str:
    return route.name
