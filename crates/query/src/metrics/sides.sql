-- "Pairs" of the view `metric_verdicts`: a metric has no length of a sample, and uses no processors.
SELECT
    *,
    CAST(NULL AS BIGINT) AS baseline_elapsed_ns,
    CAST(NULL AS DOUBLE) AS baseline_cpus,
    CAST(NULL AS DOUBLE) AS candidate_cpus
FROM metric_pairs
