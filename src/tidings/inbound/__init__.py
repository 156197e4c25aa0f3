"""The role that mail comes back to: SMTP and LMTP for our return paths, and for nobody else. It never sends anything."""

from tidings.inbound._listen import Listen, read_listen
from tidings.inbound._run import Inbound, serve

__all__ = ["Inbound", "Listen", "read_listen", "serve"]
