-- title: Times of every variant, per case
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples. Each replicate is a process of its own and counts once: median_ns is the
-- geometric mean of the replicates' medians, its interval Student's over their logarithms (95 %),
-- for processes started anew. Below five replicates there is none, for the reason given. mean_ns and
-- mad_ns (unscaled) are averages over the replicates; outliers lie outside Tukey's fences of their
-- replicate and are counted, not dropped. A variant without a valid sample is a row of no replicate; its
-- reason is what became of the first of its trials (the view unusable). What a variant says it cannot do
-- (unsupported) has no row.
WITH replicates AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        replicate,
        count(*) AS n,
        order_summary(time_ns)['median'] AS median_ns,
        mean_summary(time_ns)['mean'] AS mean_ns,
        mad(time_ns) AS mad_ns,
        outliers(time_ns) AS outliers,
        max(flops) AS flops
    FROM results
    WHERE run_id = $run AND valid
    GROUP BY workload, case_name, cache, variant, replicate
),
times AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        count(*) AS replicates,
        sum(n) AS n,
        replicate_median(median_ns, replicate) AS median_ns,
        replicate_low(median_ns, replicate) AS median_low_ns,
        replicate_high(median_ns, replicate) AS median_high_ns,
        replicate_reason(median_ns, replicate) AS reason,
        avg(mean_ns) AS mean_ns,
        avg(mad_ns) AS mad_ns,
        sum(outliers) AS outliers,
        max(flops) / replicate_median(median_ns, replicate) AS gflops
    FROM replicates
    GROUP BY workload, case_name, cache, variant
),
-- From trials, not from samples: what has no valid one has to be told.
begun AS (
    SELECT
        t.workload,
        t.case_name,
        t.cache,
        t.variant,
        min(t.trial) AS first_trial,
        first_value(coalesce(u.reason, 'no-valid-sample') ORDER BY t.trial) AS reason
    FROM trials t
    LEFT JOIN unusable u ON u.run_id = t.run_id AND u.trial = t.trial AND u.run_id = $run
    WHERE t.run_id = $run
    GROUP BY t.workload, t.case_name, t.cache, t.variant
)
SELECT
    b.workload,
    b.case_name,
    b.cache,
    b.variant,
    coalesce(t.replicates, 0) AS replicates,
    coalesce(t.n, 0) AS n,
    t.median_ns,
    t.median_low_ns,
    t.median_high_ns,
    CASE WHEN t.replicates IS NULL THEN b.reason ELSE t.reason END AS reason,
    t.mean_ns,
    t.mad_ns,
    coalesce(t.outliers, 0) AS outliers,
    t.gflops
FROM begun b
LEFT JOIN times t
    ON t.workload = b.workload AND t.case_name = b.case_name AND t.cache = b.cache AND t.variant = b.variant
WHERE t.replicates IS NOT NULL OR b.reason <> 'unsupported'
ORDER BY b.first_trial
