"""Answers one SQL question over a store's Parquet files with DuckDB, once for each line of input.

Arguments: folder of the store, SQL. Each answer: nanoseconds, rows, sum of `speedup`, peak bytes.
"""

import sys
import time

import duckdb


def peak_bytes():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main():
    store, sql = sys.argv[1:]
    connection = duckdb.connect()
    for table in ("samples", "trials"):
        files = f"{store}/run_id=*/{table}.parquet"
        connection.execute(
            f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{files}', hive_partitioning = false)"
        )
    for _ in sys.stdin:
        started = time.perf_counter_ns()
        rows = connection.execute(sql).fetchall()
        elapsed = time.perf_counter_ns() - started
        print(elapsed, len(rows), repr(sum(row[2] for row in rows)), peak_bytes(), flush=True)


main()
