-- title: Paired speedup of every candidate over a baseline, per case
-- param baseline variant = naive: the variant or implementation that counts as 1
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples, paired block by block. A speedup above 1 says that the candidate is faster;
-- verdicts hold at 95 %, equivalence means within 1 %.
SELECT
    run_id,
    workload,
    case_name,
    cache,
    baseline,
    candidate,
    paired_speedup(log_ratio, replicate) AS speedup,
    paired_speedup_low(log_ratio, replicate) AS low,
    paired_speedup_high(log_ratio, replicate) AS high,
    paired_verdict(log_ratio, replicate) AS verdict,
    paired_reason(log_ratio, replicate) AS reason,
    paired_mde(log_ratio, replicate) AS minimum_detectable_effect,
    paired_scope(log_ratio, replicate) AS scope,
    count(DISTINCT replicate) AS replicates,
    count(*) AS blocks
FROM pairs
WHERE run_id = $run
    AND (baseline = $baseline OR baseline_implementation = $baseline)
    -- The baseline's implementation on another device is no candidate: each pair stands once.
    AND candidate_implementation <> $baseline
GROUP BY run_id, workload, case_name, cache, baseline, candidate
ORDER BY min(baseline_trial), baseline, candidate
