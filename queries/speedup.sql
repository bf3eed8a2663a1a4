-- title: Paired speedup of every candidate over a baseline, per case
-- param baseline variant = naive: the variant or implementation that counts as 1; by device or dtype, one of these
-- param by text = implementation: what differs between the two: implementation, device or dtype
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From the view verdicts: paired block by block, from valid samples. A speedup above 1 says that the
-- candidate is faster; equivalence means within 1 %, said is the verdict in words. An implementation that
-- counts as 1 is, for each candidate, its variant on the same device and in the same dtype where there is
-- one. The times are those of the blocks that are compared, each replicate once by its median. Of many comparisons
-- some look decided by chance: directions and equivalences are adjusted for all comparisons of the run
-- with the baseline (Benjamini-Hochberg, 5 %), and what is lost by that is undecided, for the reason fdr.
-- Processes slower than others are excluded, at 95 %, only where more than unseen_share of all are so.
-- The cpus are the processors in use on average while a sample ran: fewer than threads is no fault where
-- a part of the work is done by one, and a starved pool where it is not. A comparison that is lost has
-- no ratio; its reason says what became of which side: failed, wrong, invalid, unchecked, not begun.
SELECT
    run_id,
    workload,
    case_name,
    cache,
    first_trial,
    baseline,
    candidate,
    baseline_ns,
    candidate_ns,
    speedup,
    low,
    high,
    verdict,
    said,
    reason,
    minimum_detectable_effect,
    unseen_share,
    scope,
    replicates,
    blocks,
    baseline_cpus,
    candidate_cpus,
    q_value,
    category
FROM verdicts
WHERE run_id = $run
    AND (
        -- The baseline's implementation on another device is no candidate: each pair stands once.
        ($by = 'implementation'
            AND (baseline = $baseline OR baseline_implementation = $baseline)
            AND candidate_implementation <> $baseline
            AND (nearest OR baseline = $baseline))
        OR ($by = 'device'
            AND baseline_device = $baseline
            AND candidate_device <> $baseline
            AND baseline_implementation = candidate_implementation
            AND baseline_dtype = candidate_dtype)
        OR ($by = 'dtype'
            AND baseline_dtype = $baseline
            AND candidate_dtype <> $baseline
            AND baseline_implementation = candidate_implementation
            AND baseline_device = candidate_device)
    )
ORDER BY first_trial, baseline, candidate
