-- "Subjects" of the view `metric_verdicts`: every variant of every case of a workload, for each of its metrics.
SELECT
    f.run_id,
    f.workload,
    f.case_name,
    f.cache,
    k.metric,
    f.variant,
    f.implementation,
    f.device,
    f.dtype,
    min(f.trial) AS first_trial,
    -- What the first of its trials ended with, where none of them may be used.
    CASE
        WHEN count(f.trial_lost) = count(*) THEN first_value(f.trial_lost ORDER BY f.trial)
        WHEN count(v.trial) = 0 THEN 'no-value'
    END AS lost
FROM "Facts" f
JOIN "Kinds" k ON k.run_id = f.run_id AND k.workload = f.workload
LEFT JOIN (SELECT run_id, trial, metric FROM metric_values WHERE lost IS NULL) v
    ON v.run_id = f.run_id AND v.trial = f.trial AND v.metric = k.metric
GROUP BY f.run_id, f.workload, f.case_name, f.cache, k.metric, f.variant, f.implementation, f.device, f.dtype
