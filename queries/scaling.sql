-- title: Time against one parameter, with the exponent of its power law, per variant
-- param x parameter = seq_q: the parameter that grows
-- param along text = seq_kv: parameters that grow along with it, comma-separated
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples. The exponent is the slope of a straight line through the logarithms of the
-- medians, with Student's interval at 95 %; it needs three points that differ in x and agree in
-- every other parameter.
WITH samples_at AS (
    SELECT
        r.workload,
        r.variant,
        r.cache,
        other_params(t.params, CAST($x AS VARCHAR) || ',' || CAST($along AS VARCHAR)) AS fixed,
        param(t.params, CAST($x AS VARCHAR)) AS x,
        r.time_ns
    FROM results r
    JOIN trials t ON t.run_id = r.run_id AND t.trial = r.trial
    WHERE r.run_id = $run AND t.run_id = $run AND r.valid
),
points AS (
    SELECT
        workload,
        variant,
        cache,
        fixed,
        x,
        count(*) AS n,
        order_summary(time_ns)['median'] AS time_ns,
        median_ci_low(time_ns) AS low_ns,
        median_ci_high(time_ns) AS high_ns
    FROM samples_at
    WHERE x > 0
    GROUP BY workload, variant, cache, fixed, x
),
fits AS (
    SELECT
        workload,
        variant,
        cache,
        fixed,
        power_exponent(x, time_ns) AS exponent,
        power_exponent_low(x, time_ns) AS exponent_low,
        power_exponent_high(x, time_ns) AS exponent_high
    FROM points
    GROUP BY workload, variant, cache, fixed
)
SELECT
    p.workload,
    p.fixed,
    p.cache,
    p.variant,
    p.x,
    p.n,
    p.time_ns,
    p.low_ns,
    p.high_ns,
    f.exponent,
    f.exponent_low,
    f.exponent_high
FROM points p
JOIN fits f
    ON f.workload = p.workload AND f.variant = p.variant AND f.cache = p.cache AND f.fixed = p.fixed
ORDER BY p.workload, p.fixed, p.cache, p.variant, p.x
