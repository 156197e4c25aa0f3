"""REST for the dashboard and programs: one router a slice. Translates in, makes one call, translates out.

A router is `APIRouter(prefix="/lists", tags=["lists"], route_class=Route)`, its endpoints take a `Call` by
`needs("lists:write")`, and it is named in `_routers.py`. Everything else, from transactions to idempotency, is the frame's.
"""
