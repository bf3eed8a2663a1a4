-- "Kinds": the metrics that a workload has in a run.
SELECT
    run_id,
    workload,
    metric,
    max(unit) AS unit,
    max(better) AS better,
    max(margin) AS margin
FROM metric_values
GROUP BY run_id, workload, metric
