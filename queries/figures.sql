-- title: What workloads and kernels say of themselves beside their times: memory, allocations, sparsity, errors
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param name text = %: names of figures, `%` for any part of one
--
-- One figure a trial, so n counts replicates; modelled ones follow from the case and do not vary.
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
JOIN trials t ON t.run_id = m.run_id AND t.trial = m.trial
WHERE m.run_id = $run AND t.run_id = $run AND m.sample IS NULL AND m.name LIKE CAST($name AS VARCHAR)
GROUP BY t.workload, t.case_name, t.cache, m.name, t.variant, m.device, m.unit, m.provenance
ORDER BY t.workload, t.case_name, t.cache, m.name, t.variant, m.device
