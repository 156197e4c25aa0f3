"""What the processes of a system use."""

from collections.abc import Iterable

import psutil

from tidings.bench._system import System


def postgres(system: System) -> dict[str, psutil.Process]:
    """The database's first process, by label; none if it is not ours."""
    pid = system.supervisor.postgres.process_id() if system.supervisor.postgres else None
    return {"postgres": psutil.Process(pid)} if pid else {}


def groups(processes: dict[str, psutil.Process]) -> Iterable[tuple[str, list[psutil.Process]]]:
    """Each with its children as they are now."""
    for name, process in processes.items():
        yield name, [process, *process.children(recursive=True)]


def cpu(group: list[psutil.Process]) -> float:
    """Seconds of processor time so far."""
    total = 0.0
    for process in group:
        try:
            times = process.cpu_times()
            # PostgreSQL's backends come and go; the postmaster counts those that ended.
            total += (
                times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
            )
        except psutil.Error:
            continue
    return total


def memory(group: list[psutil.Process]) -> float:
    """Memory in MiB, what is shared divided among those who share it."""
    total = 0
    for process in group:
        try:
            info = process.memory_full_info()
            total += info.pss if hasattr(info, "pss") else info.rss
        except psutil.Error:
            continue
    return total / 2**20
