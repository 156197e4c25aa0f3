"""The demo's report: what Tidings says beside what is true."""

from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.panel import Panel
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Known:
    """The truth, by those who did it: the simulated recipients."""

    opened: int
    human_opened: int
    clicked: int
    human_clicked: int
    unsubscribed: int
    bounced: int


@dataclass(frozen=True, slots=True)
class Report:
    """One demo. `unique_delivered`, `rejected` and `duplicates` were counted by the catcher, the rest by Tidings."""

    recipients: int
    unique_delivered: int
    rejected: int
    lost: int
    duplicates: int
    unknown: int
    seconds: float
    messages_per_second: float
    opened: int
    human_opened: int
    clicked: int
    human_clicked: int
    unsubscribed: int
    bounced: int
    truth: Known = field()

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self)

    @property
    def right(self) -> bool:
        """Nobody lost, nobody twice, and every count is the truth."""
        return self.lost == 0 and self.duplicates == 0 and all(a == b for _, a, b in self.compared())

    def compared(self) -> list[tuple[str, int, int]]:
        """What is reported and what is true, by name."""
        truth = self.truth
        return [
            ("Bounced", self.bounced, truth.bounced),
            ("Opened", self.opened, truth.opened),
            ("  by people", self.human_opened, truth.human_opened),
            ("Clicked", self.clicked, truth.clicked),
            ("  by people", self.human_clicked, truth.human_clicked),
            ("Unsubscribed", self.unsubscribed, truth.unsubscribed),
        ]


def show(report: Report, console: Console) -> None:
    """As a table."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold", box=None)
    table.add_column("", min_width=16)
    table.add_column("Tidings reports", justify="right")
    table.add_column("is true", justify="right")
    table.add_column("", justify="left")
    table.add_row("Recipients", f"{report.recipients:,}", f"{report.recipients:,}", "")
    table.add_row("Delivered", f"{report.unique_delivered:,}", f"{report.recipients - report.truth.bounced:,}", "")
    for name, told, true in report.compared():
        mark = "[green]✓[/]" if told == true else f"[red]{told - true:+,}[/]"
        table.add_row(name, f"{told:,}", f"{true:,}", mark)
    table.add_section()
    good = "[green]0[/]"
    table.add_row("Lost", good if report.lost == 0 else f"[red]{report.lost:,}[/]", "0", "")
    table.add_row("Sent twice", good if report.duplicates == 0 else f"[red]{report.duplicates:,}[/]", "0", "")
    title = f"{report.recipients:,} recipients in {report.seconds:.1f} s: {report.messages_per_second:,.0f} messages a second"
    console.print(
        Panel(table, title=title, border_style="green" if report.right else "red", expand=False, padding=(1, 2))
    )
