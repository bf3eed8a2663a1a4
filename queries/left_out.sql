-- title: Samples that may not be used, and why
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
SELECT
    workload,
    case_name,
    variant,
    replicate,
    invalid_reason AS reason,
    count(*) AS samples
FROM results
WHERE run_id = $run AND NOT valid
GROUP BY workload, case_name, variant, replicate, invalid_reason
ORDER BY min(trial), reason
