SELECT
    t.case_name,
    t.variant,
    speedup(CAST(s.elapsed_ns AS DOUBLE) / s.iterations, t.build = 'candidate') AS speedup,
    speedup_low(CAST(s.elapsed_ns AS DOUBLE) / s.iterations, t.build = 'candidate', 0.95) AS low,
    speedup_high(CAST(s.elapsed_ns AS DOUBLE) / s.iterations, t.build = 'candidate', 0.95) AS high
FROM samples s
JOIN trials t ON s.run_id = t.run_id AND s.trial = t.trial
WHERE s.valid
GROUP BY t.case_name, t.variant
