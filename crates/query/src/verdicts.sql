-- The view `verdicts`: a row for each ordered pair of variants of a run and case.
--
-- A verdict is one of a family: all comparisons of the run with the same baseline, whatever a query asks of
-- them; between two builds, with the same build. A condition on the run or the baseline reaches the samples.
WITH evidence AS (
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        baseline,
        candidate,
        baseline_implementation,
        candidate_implementation,
        -- The label of a build, which stands in the names of variants where two are compared.
        nullif(split_part(baseline, '@', 2), '') AS baseline_build,
        nullif(split_part(candidate, '@', 2), '') AS candidate_build,
        min(baseline_trial) AS first_trial,
        avg(CAST(baseline_elapsed_ns AS DOUBLE)) AS sample_ns,
        avg(baseline_cpus) AS baseline_cpus,
        avg(candidate_cpus) AS candidate_cpus,
        paired_summary(log_ratio, replicate) AS alone
    FROM pairs
    GROUP BY
        run_id,
        workload,
        case_name,
        cache,
        baseline,
        candidate,
        baseline_implementation,
        candidate_implementation
),
judged AS (
    SELECT
        *,
        suite_verdict(alone, usual_difference(run_id, sample_ns))
            OVER (PARTITION BY run_id, baseline, baseline_implementation) AS beside
    FROM evidence
    WHERE baseline_build IS NULL
    UNION ALL
    SELECT
        *,
        suite_verdict(alone, usual_difference(run_id, sample_ns)) OVER (PARTITION BY run_id, baseline_build) AS beside
    FROM evidence
    WHERE baseline_build IS NOT NULL
)
SELECT
    run_id,
    workload,
    case_name,
    cache,
    baseline,
    candidate,
    baseline_implementation,
    candidate_implementation,
    baseline_build,
    candidate_build,
    first_trial,
    alone['speedup'] AS speedup,
    alone['low'] AS low,
    alone['high'] AS high,
    alone['size_low'] AS size_low,
    alone['size_high'] AS size_high,
    beside['verdict'] AS verdict,
    beside['said'] AS said,
    coalesce(beside['reason'], alone['reason']) AS reason,
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
    beside['equivalence_q'] AS equivalence_q,
    speedup_category(alone['speedup']) AS category
FROM judged
