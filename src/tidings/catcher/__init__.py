"""Where did the mail go? A real SMTP server on loopback that keeps what it is given, delivers nowhere, and counts.

For the demo, for tests and for dry runs. It answers as follows, so that every path of a sender can be tried:

- a recipient whose local part begins with `bounce` is refused for good, with `550 5.1.1`;
- one whose local part begins with `defer` is refused once, with `451 4.3.0`, and accepted from the second attempt on;
- everyone else is accepted, once the message is in the catcher's files.

Its counts tell messages by Message-ID and recipient: `unique_delivered` of them, `duplicates` on top, and `rejected`
recipients. They survive a restart, and the end by `kill -9` of any process, the catcher's own included.

Reading: `http://127.0.0.1:8025/` in a browser, or the JSON behind it (see `_http`).

Owns no table and emits no event; its files are in the data directory.
"""

from tidings.catcher._http import create_http_app
from tidings.catcher._run import Catcher, serve
from tidings.catcher._store import Counts, Entry, Store

__all__ = ["Catcher", "Counts", "Entry", "Store", "create_http_app", "serve"]
