"""How a process on a CPU gets its memory."""

import os
import sys

TUNABLES = ":".join(
    (
        "glibc.malloc.hugetlb=1",  # ask the kernel for huge pages
        "glibc.malloc.mmap_max=0",  # keep large blocks on the heap ...
        f"glibc.malloc.trim_threshold={10**11}",  # ... and never hand them back
    )
)


def use_huge_pages() -> None:
    """Starts this program again with huge pages, where that was not decided by the caller.

    XLA takes hundreds of megabytes of scratch memory for every step on a CPU and returns them after
    it. With the C library's defaults each step then pays for a hundred thousand page faults, a
    quarter of its time. The library reads its settings only when a process starts. Call this before
    anything slow is imported; set GLIBC_TUNABLES yourself (or to nothing) to decide otherwise.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        environment = os.environ | {"GLIBC_TUNABLES": TUNABLES}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
