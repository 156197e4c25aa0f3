"""What strangers reach: opens, clicks, one-click unsubscribe. Raw protocol on Granian, not FastAPI, for speed."""
