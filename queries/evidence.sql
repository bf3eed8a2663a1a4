-- title: What stands beside the verdicts: p and q, intervals adjusted for selection, other tests
-- param baseline variant = naive: the variant or implementation that counts as 1
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- For the comparisons of the query speedup, with the p-values of the view verdicts. Selected are those
-- with a q_value of at most 0.05; their interval is widened so that of the selected of a family at most
-- 5 % miss (Benjamini and Yekutieli), of the others there is none. Welch, Mann-Whitney and Cohen's d
-- take the mean of each replicate as one value and ignore the pairing: they describe, the verdict does
-- not use them.
WITH family AS (
    SELECT
        *,
        count(p_value) OVER (PARTITION BY coalesce(baseline_build, baseline)) AS tests
    FROM verdicts
    WHERE run_id = $run
        -- Of builds, the family is all comparisons with that build.
        AND (baseline = $baseline OR baseline_implementation = $baseline OR baseline_build IS NOT NULL)
),
selected AS (
    SELECT
        *,
        coalesce(q_value <= 0.05, false) AS selected,
        sum(CASE WHEN q_value <= 0.05 THEN 1 ELSE 0 END) OVER (PARTITION BY coalesce(baseline_build, baseline))
            AS selections
    FROM family
),
chosen AS (
    SELECT * FROM pairs
    WHERE run_id = $run AND (baseline = $baseline OR baseline_implementation = $baseline)
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
    c.category,
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
-- What has nothing to compare stands here too.
LEFT JOIN unpaired u
    ON u.workload = c.workload
    AND u.case_name = c.case_name
    AND u.cache = c.cache
    AND u.baseline = c.baseline
    AND u.candidate = c.candidate
-- The baseline's implementation on another device is no candidate: each pair stands once.
WHERE (c.baseline = $baseline OR c.baseline_implementation = $baseline)
    AND c.candidate_implementation <> $baseline
    AND (c.nearest OR c.baseline = $baseline)
ORDER BY c.first_trial, c.baseline, c.candidate
