-- title: Tails of every variant, per case: the 90th and 99th percentile of calls and of steps, each with a bound, and the worst
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param confidence number = 0.95: how sure it is that a percentile lies below its bound, at least
--
-- From valid samples of all replicates. `kind` is call, or step: those of a sample after its first. A percentile stands between
-- the two values that are nearest to it. Its bound, p90_high_ns or p99_high_ns, is the smallest value of which the order alone
-- says that the percentile lies below it, whatever the distribution (Clopper and Pearson's bound on the share of values up to
-- there): NULL where even the worst of so few is none, which at 95 % takes 29 values for the 90th percentile and 299 for the 99th,
-- and the reason says so. It holds for calls that do not depend on each other; effective_n of the query health says how far those
-- of a trial do. A sample of several calls (calls_a_sample) is their mean, whose tail is shorter than that of a call: percentiles
-- and the worst are then those of such means.
WITH settings AS (
    -- One side of the two that an interval has.
    SELECT 2 * CAST($confidence AS DOUBLE) - 1 AS level
),
taken AS (
    SELECT r.workload, r.case_name, r.cache, r.variant, 'call' AS kind, r.trial, r.time_ns AS ns, s.iterations AS calls
    FROM results r
    JOIN samples s ON s.run_id = r.run_id AND s.trial = r.trial AND s.sample = r.sample
    WHERE r.run_id = $run AND s.run_id = $run AND r.valid
    UNION ALL
    SELECT
        r.workload, r.case_name, r.cache, r.variant, 'step' AS kind, r.trial, CAST(st.elapsed_ns AS DOUBLE) AS ns, 1 AS calls
    FROM results r
    JOIN steps st ON st.run_id = r.run_id AND st.trial = r.trial AND st.sample = r.sample
    WHERE r.run_id = $run AND st.run_id = $run AND r.valid AND st.step > 0
),
ranked AS (
    SELECT
        *,
        CAST(row_number() OVER (PARTITION BY workload, case_name, cache, variant, kind ORDER BY ns) AS BIGINT) AS place,
        CAST(count(*) OVER (PARTITION BY workload, case_name, cache, variant, kind) AS BIGINT) AS n
    FROM taken
),
bounded AS (
    SELECT
        k.*,
        -- How large a share lies up to here, at least; asked only where it can be enough.
        CASE WHEN k.place >= 0.9 * k.n THEN binomial_low(k.place, k.n, s.level) END AS least_share
    FROM ranked k
    CROSS JOIN settings s
),
told AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        kind,
        min(trial) AS first_trial,
        max(n) AS n,
        max(calls) AS calls_a_sample,
        median(ns) AS median_ns,
        percentile_cont(ns, 0.9) AS p90_ns,
        min(CASE WHEN least_share >= 0.9 THEN ns END) AS p90_high_ns,
        percentile_cont(ns, 0.99) AS p99_ns,
        min(CASE WHEN least_share >= 0.99 THEN ns END) AS p99_high_ns,
        max(ns) AS worst_ns
    FROM bounded
    GROUP BY workload, case_name, cache, variant, kind
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    kind,
    n,
    calls_a_sample,
    median_ns,
    p90_ns,
    p90_high_ns,
    p99_ns,
    p99_high_ns,
    worst_ns,
    CASE
        WHEN p90_high_ns IS NULL THEN 'too few for a bound'
        WHEN p99_high_ns IS NULL THEN 'too few for a bound of p99'
    END AS reason
FROM told
ORDER BY first_trial, kind
