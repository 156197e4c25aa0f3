"""What counts as a template's time."""

import gc
from time import thread_time

from tidings.content._limits import CLOCK, MAX_SECONDS


def test_collecting_garbage_is_not_a_templates_time() -> None:
    heap = [[] for _ in range(500_000)]
    CLOCK.start()
    try:
        gc.collect()
        CLOCK.check()
        begun = thread_time()
        gc.collect()
        took = thread_time() - begun
        assert CLOCK.deadline - begun > MAX_SECONDS + took * 0.9
        CLOCK.check()
    finally:
        CLOCK.stop()
    assert len(heap) == 500_000
