-- title: Paired speedup of every candidate over a baseline, per case
-- param baseline variant = naive: the variant or implementation that counts as 1
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples, paired block by block. A speedup above 1 says that the candidate is faster;
-- verdicts hold at 95 %, equivalence means within 1 %. Of many comparisons some look decided by
-- chance: where q_value, the p-value adjusted for all rows (Benjamini-Hochberg), exceeds 0.05, a
-- direction becomes undecided, for the reason fdr.
WITH compared AS (
    SELECT
        run_id,
        workload,
        case_name,
        cache,
        baseline,
        candidate,
        min(baseline_trial) AS first_trial,
        paired_speedup(log_ratio, replicate) AS speedup,
        paired_speedup_low(log_ratio, replicate) AS low,
        paired_speedup_high(log_ratio, replicate) AS high,
        paired_verdict(log_ratio, replicate) AS verdict,
        paired_reason(log_ratio, replicate) AS reason,
        paired_mde(log_ratio, replicate) AS minimum_detectable_effect,
        paired_scope(log_ratio, replicate) AS scope,
        paired_p(log_ratio, replicate) AS p_value,
        count(DISTINCT replicate) AS replicates,
        count(*) AS blocks
    FROM pairs
    WHERE run_id = $run
        AND (baseline = $baseline OR baseline_implementation = $baseline)
        -- The baseline's implementation on another device is no candidate: each pair stands once.
        AND candidate_implementation <> $baseline
    GROUP BY run_id, workload, case_name, cache, baseline, candidate
),
adjusted AS (
    SELECT *, q_value(p_value) OVER () AS q_value, count(*) OVER () AS comparisons FROM compared
),
judged AS (
    SELECT
        *,
        coalesce(comparisons > 1 AND q_value > 0.05 AND verdict IN ('faster', 'slower'), false) AS by_chance
    FROM adjusted
)
SELECT
    run_id,
    workload,
    case_name,
    cache,
    baseline,
    candidate,
    speedup,
    low,
    high,
    CASE WHEN by_chance THEN 'undecided' ELSE verdict END AS verdict,
    CASE WHEN by_chance THEN 'fdr' ELSE reason END AS reason,
    minimum_detectable_effect,
    scope,
    replicates,
    blocks,
    q_value,
    speedup_category(speedup) AS category
FROM judged
ORDER BY first_trial, baseline, candidate
