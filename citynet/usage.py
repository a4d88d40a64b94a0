"""What a process uses of the machine, for its statistics."""

import os
import resource
import sys
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
STATM = Path("/proc/self/statm")


def usage() -> dict[str, float]:
    """CPU seconds since the start and resident bytes; where the kernel does not say these, the highest ever."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    if STATM.exists():
        resident = int(STATM.read_text().split()[1]) * PAGE
    else:
        resident = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"cpu_s": used.ru_utime + used.ru_stime, "rss_bytes": float(resident)}
