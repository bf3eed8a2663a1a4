-- title: Every case and variant over the runs of the store, and where its time changed
-- param workload text = all: the workload, or all
--
-- One row a run: the geometric mean of its replicates' medians of valid samples. Only runs of the
-- same environment make a series; run_number counts those of a case, oldest first. level_ns is the
-- level that the series holds between its change points: at most one series in 100 without a change
-- has one, and fewer than ten runs are too few to tell. change_p and change_percent stand at the
-- first run of a new level: above 0 it is slower.
WITH run_medians AS (
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        variant,
        dtype,
        threads,
        replicate_summary(time_ns, replicate)['replicates'] AS replicates,
        replicate_median(time_ns, replicate) AS median_ns
    FROM results
    WHERE valid AND ($workload = 'all' OR workload = $workload)
    GROUP BY run_id, workload, case_name, cache, variant, dtype, threads
),
dated AS (
    SELECT
        r.environment_id,
        m.workload,
        m.case_name,
        m.cache,
        m.variant,
        m.dtype,
        m.threads,
        m.run_id,
        r.started_at,
        r.git_commit,
        m.replicates,
        m.median_ns
    FROM run_medians m
    JOIN runs r ON r.run_id = m.run_id
),
series AS (
    SELECT
        *,
        dense_rank() OVER (
            PARTITION BY environment_id, workload, case_name, cache
            ORDER BY started_at, run_id
        ) AS run_number,
        change_point(median_ns) OVER (
            PARTITION BY environment_id, workload, case_name, cache, variant, dtype, threads
            ORDER BY started_at, run_id
        ) AS found
    FROM dated
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    dtype,
    threads,
    environment_id,
    CAST(run_number AS BIGINT) AS run_number,
    run_id,
    started_at,
    git_commit,
    replicates,
    median_ns,
    found['level'] AS level_ns,
    found['p_value'] AS change_p,
    100.0 * (found['after'] / nullif(found['before'], 0.0) - 1.0) AS change_percent
FROM series
ORDER BY workload, case_name, cache, environment_id, variant, dtype, threads, started_at, run_id
