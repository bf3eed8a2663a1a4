-- title: What workloads and kernels say of themselves beside their times: memory, allocations, sparsity, errors
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param name text = %: names of metrics, `%` for any part of one
--
-- One value a trial, so n counts replicates; modelled ones follow from the case and do not vary.
WITH of_run AS (
    SELECT
        trial,
        workload,
        case_name,
        cache,
        variant,
        min(trial) OVER (PARTITION BY workload, case_name, cache) AS first_trial
    FROM trials
    WHERE run_id = $run
)
SELECT
    t.workload,
    t.case_name,
    t.cache,
    m.name,
    t.variant,
    m.device,
    count(*) AS n,
    median(m.value) AS value,
    min(m.value) AS lowest,
    max(m.value) AS highest,
    m.unit,
    m.provenance
FROM measures m
JOIN of_run t ON t.trial = m.trial
WHERE m.run_id = $run AND m.sample IS NULL AND m.name LIKE CAST($name AS VARCHAR)
GROUP BY t.workload, t.case_name, t.cache, m.name, t.variant, m.device, m.unit, m.provenance
ORDER BY min(t.first_trial), m.name, t.variant, m.device
