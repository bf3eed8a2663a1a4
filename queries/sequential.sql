-- title: Two runs, case by case: unpaired and sequential, descriptive only
-- param baseline run = latest~1: the run that counts as 1
-- param candidate run = latest: the run that is compared with it
--
-- Each replicate counts once, by the mean of its valid samples. The interval is Welch's on the
-- logarithm of the ratio of means (delta method, 95 %); drift between the runs counts as a
-- difference, so that nothing is ever called equivalent. Below five replicates of either it is undecided.
-- All comparisons of the two runs are one family: of the directions that are said, at most 5 % are
-- expected to be chance. The reason of one that only by itself would be said is fdr.
-- same_seeds says whether the inputs of a case were those of the same seeds in both: where they were not, it is a difference between
-- the runs like any other, and stops no comparison.
-- What has no valid sample in one of them is not in both; its reason says what became of which side
-- (the view unusable).
WITH replicate_means AS (
    SELECT
        workload,
        case_name,
        cache,
        -- Within a run every variant has the same threads; between runs they may differ, by force.
        implementation || '/' || device || '/' || dtype AS variant,
        run_id = $candidate AS is_candidate,
        avg(time_ns) AS time_ns
    FROM results
    WHERE run_id IN ($baseline, $candidate) AND valid
    GROUP BY workload, case_name, cache, implementation, device, dtype, run_id, replicate
),
ratios AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        avg(CASE WHEN NOT is_candidate THEN time_ns END) AS baseline_ns,
        avg(CASE WHEN is_candidate THEN time_ns END) AS candidate_ns,
        unpaired_summary(time_ns, is_candidate) AS alone,
        sum(CASE WHEN NOT is_candidate THEN 1 ELSE 0 END) AS baseline_replicates,
        sum(CASE WHEN is_candidate THEN 1 ELSE 0 END) AS candidate_replicates
    FROM replicate_means
    GROUP BY workload, case_name, cache, variant
),
judged AS (
    -- What calibrations have shown is of pairs: a difference between runs has no usual size.
    SELECT *, suite_verdict(alone, CAST(NULL AS DOUBLE)) OVER () AS beside FROM ratios
),
told AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        baseline_ns,
        candidate_ns,
        alone['speedup'] AS speedup,
        alone['low'] AS low,
        alone['high'] AS high,
        beside['verdict'] AS verdict,
        beside['reason'] AS why,
        alone['welch_p'] AS welch_p,
        beside['q_value'] AS q_value,
        baseline_replicates,
        candidate_replicates
    FROM judged
),
-- From trials, not from samples: what has no valid one has to be told.
begun AS (
    SELECT
        t.workload,
        t.case_name,
        t.cache,
        t.implementation || '/' || t.device || '/' || t.dtype AS variant,
        min(CASE WHEN t.run_id = $candidate THEN t.trial END) AS candidate_trial,
        min(t.trial) AS first_trial,
        first_value(coalesce(u.reason, 'no-valid-sample') ORDER BY t.trial) FILTER (WHERE t.run_id = $baseline)
            AS baseline_lost,
        first_value(coalesce(u.reason, 'no-valid-sample') ORDER BY t.trial) FILTER (WHERE t.run_id = $candidate)
            AS candidate_lost
    FROM trials t
    LEFT JOIN unusable u
        ON u.run_id = t.run_id AND u.trial = t.trial AND u.run_id IN ($baseline, $candidate)
    WHERE t.run_id IN ($baseline, $candidate)
    GROUP BY t.workload, t.case_name, t.cache, t.implementation, t.device, t.dtype
),
-- In how many of the two runs a case has inputs of a seed.
seeds AS (
    SELECT
        workload,
        case_name,
        cache,
        input_seed,
        count(DISTINCT run_id) AS runs,
        min(run_id) AS first_run,
        max(run_id) AS last_run
    FROM trials
    WHERE run_id IN ($baseline, $candidate)
    GROUP BY workload, case_name, cache, input_seed
),
of_seeds AS (
    SELECT
        workload,
        case_name,
        cache,
        CASE WHEN min(first_run) <> max(last_run) THEN min(runs) = 2 END AS same_seeds
    FROM seeds
    GROUP BY workload, case_name, cache
),
beside AS (
    SELECT
        b.*,
        s.same_seeds,
        -- A case stands where the candidate's plan has it, or else the baseline's.
        coalesce(
            min(b.candidate_trial) OVER (PARTITION BY b.workload, b.case_name, b.cache),
            min(b.first_trial) OVER (PARTITION BY b.workload, b.case_name, b.cache)
        ) AS place,
        r.baseline_ns,
        r.candidate_ns,
        r.speedup,
        r.low,
        r.high,
        r.verdict,
        r.why,
        r.welch_p,
        r.q_value,
        coalesce(r.baseline_replicates, 0) AS baseline_replicates,
        coalesce(r.candidate_replicates, 0) AS candidate_replicates
    FROM begun b
    LEFT JOIN of_seeds s ON s.workload = b.workload AND s.case_name = b.case_name AND s.cache = b.cache
    LEFT JOIN told r
        ON r.workload = b.workload AND r.case_name = b.case_name AND r.cache = b.cache AND r.variant = b.variant
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    baseline_ns,
    candidate_ns,
    speedup,
    low,
    high,
    CASE
        WHEN baseline_replicates = 0 OR candidate_replicates = 0 THEN 'not in both'
        ELSE coalesce(verdict, 'undecided')
    END AS verdict,
    nullif(
        concat_ws(
            ', ',
            CASE WHEN baseline_replicates = 0 THEN 'baseline-' || coalesce(baseline_lost, 'missing') END,
            CASE WHEN candidate_replicates = 0 THEN 'candidate-' || coalesce(candidate_lost, 'missing') END,
            CASE WHEN verdict = 'undecided' THEN why END
        ),
        ''
    ) AS reason,
    welch_p,
    q_value,
    baseline_replicates,
    candidate_replicates,
    same_seeds,
    'unpaired, sequential' AS scope
FROM beside
ORDER BY place, workload, case_name, cache, coalesce(candidate_trial, first_trial), variant
