-- title: Times of every variant, per case
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples. Each replicate is a process of its own and counts once: median_ns is the
-- geometric mean of the replicates' medians, its interval Student's over their logarithms (95 %),
-- for processes started anew. Below five replicates there is none, for the reason given. mean_ns and
-- mad_ns (unscaled) are averages over the replicates; outliers lie outside Tukey's fences of their
-- replicate and are counted, not dropped.
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
)
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
ORDER BY workload, case_name, cache, variant
