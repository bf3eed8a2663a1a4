-- title: Correctness checks of every trial, before and after timing
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- used is the largest scaled error as a share of the tolerance: above 1 the check failed.
SELECT
    t.workload,
    t.case_name,
    t.variant,
    t.replicate,
    c.phase,
    c.passed,
    c.max_abs_error,
    c.max_scaled_error,
    c.tolerance,
    c.max_scaled_error / nullif(c.tolerance, 0) AS used,
    c.rows_checked
FROM checks c
JOIN trials t ON t.run_id = c.run_id AND t.trial = c.trial
WHERE c.run_id = $run AND t.run_id = $run
ORDER BY t.workload, t.case_name, t.variant, t.replicate, c.phase DESC
