-- The function `pairs('time')`: the view `pairs`, in the form of `metric_pairs`.
SELECT
    p.run_id,
    p.workload,
    p.case_name,
    p.cache,
    p.replicate,
    p.block,
    p.baseline,
    p.candidate,
    p.baseline_implementation,
    p.candidate_implementation,
    p.baseline_trial,
    p.candidate_trial,
    p.baseline_time_ns AS baseline_value,
    p.candidate_time_ns AS candidate_value,
    p.log_ratio,
    p.pilot,
    p.metric,
    'ns' AS unit,
    r.better,
    r.margin,
    -- A time that does not vary is the sign of a coarse clock.
    false AS exact,
    CAST(NULL AS VARCHAR) AS lost
FROM pairs p
JOIN "Rules" r ON r.name = p.metric
