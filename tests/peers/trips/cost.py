"""What a job cost this process: user and system time of it and its children, wall time, and the peak memory of its life."""
import json
import resource
import time


def cpu():
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def measure(job):
    """Runs job(), which returns a number of rows, and prints one line of JSON (harness/trips.py, Cost)."""
    cpu_s, wall_s = cpu(), time.monotonic()
    rows = job()
    cpu_s, wall_s = cpu() - cpu_s, time.monotonic() - wall_s
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"rows": rows, "cpu_s": cpu_s, "wall_s": wall_s, "peak_mib": peak / 1024}))
