"""The most memory that this process held since it was last asked to forget (proc(5): clear_refs, VmHWM)."""

from pathlib import Path


def forget_peak() -> int:
    """Begin anew: what is held now, in MB. `ru_maxrss` keeps growing, so an earlier test's peak would hide this one's."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """In MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("the kernel says nothing of VmHWM")
