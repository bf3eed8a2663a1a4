-- "Subjects" of the view `verdicts`.
SELECT
    run_id,
    workload,
    case_name,
    cache,
    'time' AS metric,
    variant,
    implementation,
    device,
    dtype,
    min(trial) AS first_trial,
    -- What the first of its trials ended with, where none of them may be used.
    CASE WHEN count(trial_lost) = count(*) THEN first_value(trial_lost ORDER BY trial) END AS lost
FROM "Facts"
GROUP BY run_id, workload, case_name, cache, variant, implementation, device, dtype
