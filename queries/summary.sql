-- title: Times of every variant, per case
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples. The median's interval is exact (order statistics, 95 %); mad is unscaled;
-- outliers lie outside Tukey's fences and are counted, not dropped.
SELECT
    workload,
    case_name,
    cache,
    variant,
    count(*) AS n,
    order_summary(time_ns)['median'] AS median_ns,
    median_ci_low(time_ns) AS median_low_ns,
    median_ci_high(time_ns) AS median_high_ns,
    mean_summary(time_ns)['mean'] AS mean_ns,
    mad(time_ns) AS mad_ns,
    outliers(time_ns) AS outliers,
    max(flops) / order_summary(time_ns)['median'] AS gflops
FROM results
WHERE run_id = $run AND valid
GROUP BY workload, case_name, cache, variant
ORDER BY workload, case_name, cache, variant
