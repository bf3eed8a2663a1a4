-- What the views `verdicts` and `metric_verdicts` show: a row for each ordered pair of variants of a run and case, for
-- each metric.
--
-- "Subjects" are the variants of each case with a metric, and what became of those that have no value of it; "Pairs"
-- are the log ratios of the pairs. A verdict is one of a family: all comparisons of the run with the same baseline, by
-- the same metric, whatever a query asks of them; between two builds, with the same build. A condition on the run or
-- the baseline reaches the samples.
-- A pair without a common block is a row too, undecided, with what became of its sides as the reason. A variant
-- that says it cannot do a case (unsupported) is not one of its sides. The nearest baseline of an implementation is
-- its variant on the candidate's device and in its dtype where there is one, or else as many of them as are as near.
WITH able AS (
    SELECT * FROM "Subjects" WHERE coalesce(lost <> 'unsupported', true)
),
met AS (
    SELECT
        b.run_id,
        b.workload,
        b.case_name,
        b.cache,
        b.metric,
        b.variant AS baseline,
        c.variant AS candidate,
        b.implementation AS baseline_implementation,
        c.implementation AS candidate_implementation,
        b.first_trial AS baseline_trial,
        -- How unlike the two run: on another device, in another dtype.
        CASE WHEN b.device = c.device THEN 0 ELSE 2 END + CASE WHEN b.dtype = c.dtype THEN 0 ELSE 1 END AS apart,
        CAST(nullif(concat_ws(', ', 'baseline-' || b.lost, 'candidate-' || c.lost), '') AS VARCHAR) AS lost
    FROM able b
    JOIN able c
        ON c.run_id = b.run_id
        AND c.workload = b.workload
        AND c.case_name = b.case_name
        AND c.cache = b.cache
        AND c.metric = b.metric
    WHERE b.variant <> c.variant
        -- Of builds, only the same variant stands in the same blocks.
        AND (
            (split_part(b.variant, '@', 2) = '' AND split_part(c.variant, '@', 2) = '')
            OR split_part(b.variant, '@', 1) = split_part(c.variant, '@', 1)
        )
),
sides AS (
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        metric,
        baseline,
        candidate,
        baseline_implementation,
        candidate_implementation,
        baseline_trial,
        replicate,
        block,
        pilot,
        margin,
        exact,
        log_ratio,
        baseline_value,
        candidate_value,
        baseline_elapsed_ns,
        baseline_cpus,
        candidate_cpus,
        CAST(NULL AS BIGINT) AS apart,
        CAST(NULL AS BIGINT) AS least_apart,
        lost
    FROM "Pairs"
    UNION ALL
    -- Every pair once more, without a number: where it has no other row, it has nothing to compare.
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        metric,
        baseline,
        candidate,
        baseline_implementation,
        candidate_implementation,
        baseline_trial,
        CAST(NULL AS BIGINT) AS replicate,
        CAST(NULL AS BIGINT) AS block,
        CAST(NULL AS BIGINT) AS pilot,
        CAST(NULL AS DOUBLE) AS margin,
        CAST(NULL AS BOOLEAN) AS exact,
        CAST(NULL AS DOUBLE) AS log_ratio,
        CAST(NULL AS DOUBLE) AS baseline_value,
        CAST(NULL AS DOUBLE) AS candidate_value,
        CAST(NULL AS BIGINT) AS baseline_elapsed_ns,
        CAST(NULL AS DOUBLE) AS baseline_cpus,
        CAST(NULL AS DOUBLE) AS candidate_cpus,
        apart,
        min(apart) OVER (PARTITION BY run_id, workload, case_name, cache, metric, baseline_implementation, candidate)
            AS least_apart,
        lost
    FROM met
),
evidence AS (
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        metric,
        baseline,
        candidate,
        baseline_implementation,
        candidate_implementation,
        -- The label of a build, which stands in the names of variants where two are compared.
        nullif(split_part(baseline, '@', 2), '') AS baseline_build,
        nullif(split_part(candidate, '@', 2), '') AS candidate_build,
        split_part(baseline, '/', 2) AS baseline_device,
        split_part(candidate, '/', 2) AS candidate_device,
        split_part(baseline, '/', 3) AS baseline_dtype,
        split_part(candidate, '/', 3) AS candidate_dtype,
        min(baseline_trial) AS first_trial,
        -- What is zero somewhere has no geometric mean.
        coalesce(replicate_summary(baseline_value, replicate)['median'], avg(baseline_value)) AS baseline_value,
        coalesce(replicate_summary(candidate_value, replicate)['median'], avg(candidate_value)) AS candidate_value,
        avg(CAST(baseline_elapsed_ns AS DOUBLE)) AS sample_ns,
        avg(baseline_cpus) AS baseline_cpus,
        avg(candidate_cpus) AS candidate_cpus,
        paired_summary(log_ratio, replicate) AS alone,
        max(apart) AS apart,
        max(least_apart) AS least_apart,
        max(lost) AS lost
    FROM sides
    GROUP BY
        run_id,
        workload,
        case_name,
        cache,
        metric,
        baseline,
        candidate,
        baseline_implementation,
        candidate_implementation
),
judged AS (
    SELECT
        *,
        suite_verdict(alone, usual_difference(run_id, sample_ns))
            OVER (PARTITION BY run_id, metric, baseline, baseline_implementation) AS beside
    FROM evidence
    WHERE baseline_build IS NULL
    UNION ALL
    SELECT
        *,
        suite_verdict(alone, usual_difference(run_id, sample_ns))
            OVER (PARTITION BY run_id, metric, baseline_build) AS beside
    FROM evidence
    WHERE baseline_build IS NOT NULL
)
SELECT
    run_id,
    workload,
    case_name,
    cache,
    metric,
    baseline,
    candidate,
    baseline_implementation,
    candidate_implementation,
    baseline_build,
    candidate_build,
    baseline_device,
    candidate_device,
    baseline_dtype,
    candidate_dtype,
    (apart = least_apart) AS nearest,
    first_trial,
    baseline_value,
    candidate_value,
    alone['speedup'] AS ratio,
    alone['low'] AS low,
    alone['high'] AS high,
    alone['equivalence_low'] AS equivalence_low,
    alone['equivalence_high'] AS equivalence_high,
    beside['verdict'] AS verdict,
    beside['said'] AS said,
    CASE
        WHEN alone['blocks'] = 0 THEN coalesce(lost, 'no-common-block')
        ELSE coalesce(beside['reason'], alone['reason'])
    END AS reason,
    alone['mde'] AS minimum_detectable_effect,
    beside['unseen_share'] AS unseen_share,
    alone['scope'] AS scope,
    alone['replicates'] AS replicates,
    alone['blocks'] AS blocks,
    baseline_cpus,
    candidate_cpus,
    alone['standard_error'] AS standard_error,
    alone['df'] AS df,
    alone['p_value'] AS p_value,
    beside['q_value'] AS q_value,
    alone['equivalence_p'] AS equivalence_p,
    beside['equivalence_q'] AS equivalence_q
FROM judged
