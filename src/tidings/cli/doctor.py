"""`tidings doctor`: what receivers find, on a screen."""

import orjson
from rich.console import Console
from rich.text import Text

from tidings import delivery
from tidings.delivery import CheckState

_COLOURS = {CheckState.OK: "green", CheckState.WARN: "yellow", CheckState.FAIL: "red"}


async def run(
    *,
    domain: str,
    selectors: list[str],
    ip: str | None,
    return_path: str | None,
    json: bool,
    resolver: delivery.Resolver | None = None,
) -> bool:
    """Check a domain and print what was found. Whether nothing failed. Raises Invalid."""
    cleaned = delivery.clean_domain(domain)
    checks = await delivery.check_domain(
        resolver or delivery.SystemResolver(),
        domain=cleaned,
        selectors=selectors,
        ip=ip,
        return_path=None if return_path is None else delivery.clean_domain(return_path, at="--return-path"),
    )
    well = all(one.state is not CheckState.FAIL for one in checks)
    if json:
        found = [{"name": c.name, "state": c.state, "found": c.found, "advice": c.advice} for c in checks]
        print(orjson.dumps({"domain": cleaned, "ok": well, "checks": found}).decode())
        return well
    console = Console(soft_wrap=True)  # records are there to be copied: nothing of them is cut off or broken
    console.print(Text(cleaned, style="bold"))
    for one in checks:
        # Text: what the DNS says is no markup.
        console.print(Text.assemble((f"{one.state:4}", _COLOURS[one.state]), f"  {one.name}: {one.found}"))
        if one.advice:
            console.print(Text(f"      {one.advice}"))
    return well
