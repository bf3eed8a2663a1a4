-- title: Correctness checks of every trial, before and after timing
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- A row for each output. used is the largest scaled error as a share of the tolerance: above 1 the check failed.
WITH of_run AS (
    SELECT
        t.workload,
        t.case_name,
        t.variant,
        t.replicate,
        c.phase,
        c.output,
        c.passed,
        c.max_abs_error,
        c.max_scaled_error,
        c.tolerance,
        c.rows_checked,
        min(t.trial) OVER (PARTITION BY t.workload, t.case_name, t.cache) AS first_trial
    FROM checks c
    JOIN trials t ON t.run_id = c.run_id AND t.trial = c.trial
    WHERE c.run_id = $run AND t.run_id = $run
)
SELECT
    workload,
    case_name,
    variant,
    replicate,
    phase,
    output,
    passed,
    max_abs_error,
    max_scaled_error,
    tolerance,
    max_scaled_error / nullif(tolerance, 0) AS used,
    rows_checked
FROM of_run
ORDER BY first_trial, variant, replicate, phase DESC, output
