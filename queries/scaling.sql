-- title: Time against one parameter, with the exponent of its power law, per variant
-- param x parameter = seq_q: the parameter that grows
-- param along text = seq_kv: parameters that grow along with it, comma-separated
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples. Each replicate counts once: time_ns is the geometric mean of the replicates'
-- medians. The exponent is the slope of a straight line through the logarithms of one replicate's
-- medians, the mean over the replicates that have every size; it needs three sizes that differ in x
-- and agree in every other parameter. Intervals are Student's over replicates (95 %), NULL below
-- five; they speak of processes started anew at these sizes, not of whether the points lie on a line.
WITH samples_at AS (
    SELECT
        r.workload,
        r.variant,
        r.cache,
        other_params(t.params, CAST($x AS VARCHAR) || ',' || CAST($along AS VARCHAR)) AS fixed,
        param(t.params, CAST($x AS VARCHAR)) AS x,
        r.replicate,
        r.trial,
        r.time_ns
    FROM results r
    JOIN trials t ON t.run_id = r.run_id AND t.trial = r.trial
    WHERE r.run_id = $run AND t.run_id = $run AND r.valid
),
replicates AS (
    SELECT
        workload,
        variant,
        cache,
        fixed,
        x,
        replicate,
        min(trial) AS first_trial,
        count(*) AS n,
        order_summary(time_ns)['median'] AS time_ns
    FROM samples_at
    WHERE x > 0
    GROUP BY workload, variant, cache, fixed, x, replicate
),
points AS (
    SELECT
        workload,
        variant,
        cache,
        fixed,
        x,
        min(first_trial) AS first_trial,
        count(*) AS replicates,
        sum(n) AS n,
        replicate_median(time_ns, replicate) AS time_ns,
        replicate_low(time_ns, replicate) AS low_ns,
        replicate_high(time_ns, replicate) AS high_ns
    FROM replicates
    GROUP BY workload, variant, cache, fixed, x
),
placed AS (
    SELECT *, min(first_trial) OVER (PARTITION BY workload, cache, fixed) AS place FROM points
),
lines AS (
    SELECT workload, variant, cache, fixed, replicate, count(*) AS sizes, power_exponent(x, time_ns) AS exponent
    FROM replicates
    GROUP BY workload, variant, cache, fixed, replicate
),
whole AS (
    SELECT *, max(sizes) OVER (PARTITION BY workload, variant, cache, fixed) AS most FROM lines
),
fits AS (
    SELECT
        workload,
        variant,
        cache,
        fixed,
        avg(exponent) AS exponent,
        CASE WHEN count(exponent) >= 5 THEN ci_low(exponent) END AS exponent_low,
        CASE WHEN count(exponent) >= 5 THEN ci_high(exponent) END AS exponent_high
    FROM whole
    WHERE sizes = most
    GROUP BY workload, variant, cache, fixed
)
SELECT
    p.workload,
    p.fixed,
    p.cache,
    p.variant,
    p.x,
    p.replicates,
    p.n,
    p.time_ns,
    p.low_ns,
    p.high_ns,
    f.exponent,
    f.exponent_low,
    f.exponent_high
FROM placed p
JOIN fits f
    ON f.workload = p.workload AND f.variant = p.variant AND f.cache = p.cache AND f.fixed = p.fixed
ORDER BY p.place, p.variant, p.x
