-- title: What approximations lose and save, and their time beside the fastest exact variant's
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- relative_error is the distance from the exact answer, as a share of its length (Frobenius), and mean_error the mean of what
-- numbers are off by, as a share of their mean;
-- compute_saved has what choosing costs in it; where a kernel does not say it, it is what its own operations are less than those
-- of the exact answer. Times are geometric means of the replicates' medians of valid samples, without an interval: `speedup` judges
-- them.
WITH times AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        replicate_median(time_ns, replicate) AS median_ns
    FROM results
    WHERE run_id = $run AND valid
    GROUP BY workload, case_name, cache, variant
),
metrics AS (
    SELECT
        t.workload,
        t.case_name,
        t.cache,
        t.variant,
        min(t.trial) AS first_trial,
        median(m.value) FILTER (WHERE m.name IN ('sparsity_reached', 'sparsity')) AS sparsity_reached,
        coalesce(
            median(m.value) FILTER (WHERE m.name = 'compute_saved'),
            1 - median(m.value) FILTER (WHERE m.name = 'own_flops') / nullif(max(t.flops), 0)
        ) AS compute_saved,
        median(m.value) FILTER (WHERE m.name = 'relative_error') AS relative_error,
        median(m.value) FILTER (WHERE m.name = 'mean_error') AS mean_error
    FROM trials t
    LEFT JOIN measures m ON m.run_id = t.run_id AND m.trial = t.trial
    WHERE t.run_id = $run
    GROUP BY t.workload, t.case_name, t.cache, t.variant
),
both AS (
    SELECT
        f.workload,
        f.case_name,
        f.cache,
        f.variant,
        f.sparsity_reached,
        f.compute_saved,
        f.relative_error,
        f.mean_error,
        t.median_ns,
        min(f.first_trial) OVER (PARTITION BY f.workload, f.case_name, f.cache) AS first_trial
    FROM metrics f
    LEFT JOIN times t
        ON t.workload = f.workload AND t.case_name = f.case_name AND t.cache = f.cache AND t.variant = f.variant
),
exact AS (
    SELECT workload, case_name, cache, min(median_ns) AS median_ns
    FROM both
    WHERE relative_error IS NULL
    GROUP BY workload, case_name, cache
)
SELECT
    b.workload,
    b.case_name,
    b.cache,
    b.variant,
    b.sparsity_reached,
    b.compute_saved,
    b.relative_error,
    b.mean_error,
    b.median_ns,
    b.median_ns / e.median_ns AS of_exact
FROM both b
LEFT JOIN exact e ON e.workload = b.workload AND e.case_name = b.case_name AND e.cache = b.cache
WHERE b.relative_error IS NOT NULL
ORDER BY b.first_trial, b.relative_error, b.variant
