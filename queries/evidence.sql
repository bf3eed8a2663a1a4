-- title: What stands beside the verdicts: p and q, intervals adjusted for selection, other tests
-- param baseline variant = naive: the variant or implementation that counts as 1
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- For the pairs of the query speedup. Selected are those with a q_value of at most 0.05; their
-- interval is widened so that of the selected at most 5 % miss (Benjamini and Yekutieli), of the
-- others there is none. Welch, Mann-Whitney and Cohen's d take the mean of each replicate as one
-- value and ignore the pairing: they describe, the verdict does not use them.
WITH chosen AS (
    SELECT * FROM pairs
    WHERE run_id = $run
        AND (baseline = $baseline OR baseline_implementation = $baseline)
        -- The baseline's implementation on another device is no candidate: each pair stands once.
        AND candidate_implementation <> $baseline
),
compared AS (
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        baseline,
        candidate,
        min(baseline_trial) AS first_trial,
        paired_speedup(log_ratio, replicate) AS speedup,
        paired_p(log_ratio, replicate) AS p_value,
        paired_se(log_ratio, replicate) AS standard_error,
        paired_df(log_ratio, replicate) AS df
    FROM chosen
    GROUP BY run_id, workload, case_name, cache, baseline, candidate
),
adjusted AS (
    SELECT *, q_value(p_value) OVER () AS q_value, count(p_value) OVER () AS tests FROM compared
),
selected AS (
    SELECT
        *,
        coalesce(q_value <= 0.05, false) AS selected,
        sum(CASE WHEN q_value <= 0.05 THEN 1 ELSE 0 END) OVER () AS selections
    FROM adjusted
),
replicate_means AS (
    SELECT
        workload,
        case_name,
        cache,
        baseline,
        candidate,
        replicate,
        avg(baseline_time_ns) AS baseline_ns,
        avg(candidate_time_ns) AS candidate_ns
    FROM chosen
    GROUP BY workload, case_name, cache, baseline, candidate, replicate
),
means_by_side AS (
    SELECT
        m.workload,
        m.case_name,
        m.cache,
        m.baseline,
        m.candidate,
        s.is_candidate,
        CASE WHEN s.is_candidate THEN m.candidate_ns ELSE m.baseline_ns END AS time_ns
    FROM replicate_means m
    CROSS JOIN (VALUES (false), (true)) AS s(is_candidate)
),
unpaired AS (
    SELECT
        workload,
        case_name,
        cache,
        baseline,
        candidate,
        welch_p(time_ns, is_candidate) AS welch_p,
        mann_whitney_p(time_ns, is_candidate) AS mann_whitney_p,
        cohens_d(time_ns, is_candidate) AS cohens_d
    FROM means_by_side
    GROUP BY workload, case_name, cache, baseline, candidate
)
SELECT
    c.run_id,
    c.workload,
    c.case_name,
    c.cache,
    c.baseline,
    c.candidate,
    c.speedup,
    speedup_category(c.speedup) AS category,
    c.p_value,
    c.q_value,
    c.selected,
    CASE
        WHEN c.selected
        THEN interval_low(c.speedup, c.standard_error, c.df, false_coverage_level(c.selections, c.tests, 0.05))
    END AS adjusted_low,
    CASE
        WHEN c.selected
        THEN interval_high(c.speedup, c.standard_error, c.df, false_coverage_level(c.selections, c.tests, 0.05))
    END AS adjusted_high,
    u.welch_p,
    u.mann_whitney_p,
    u.cohens_d
FROM selected c
JOIN unpaired u
    ON u.workload = c.workload
    AND u.case_name = c.case_name
    AND u.cache = c.cache
    AND u.baseline = c.baseline
    AND u.candidate = c.candidate
ORDER BY c.first_trial, c.baseline, c.candidate
