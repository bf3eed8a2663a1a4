SELECT
    t.case_name,
    t.variant,
    avg(x) FILTER (b) / avg(x) FILTER (c) AS speedup,
    count(x) FILTER (c) AS n_candidate,
    count(x) FILTER (b) AS n_baseline,
    var_samp(x) FILTER (c) AS var_candidate,
    var_samp(x) FILTER (b) AS var_baseline
FROM (
    SELECT
        t.case_name,
        t.variant,
        CAST(s.elapsed_ns AS DOUBLE) / s.iterations AS x,
        t.build = 'candidate' AS c,
        t.build <> 'candidate' AS b
    FROM samples s
    JOIN trials t ON s.run_id = t.run_id AND s.trial = t.trial
    WHERE s.valid
) t
GROUP BY t.case_name, t.variant
