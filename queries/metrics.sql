-- title: What stands beside the time, judged: memory, errors, steps … of every candidate over a baseline, per case
-- param baseline variant = naive: the variant or implementation that counts as 1; by device or dtype, one of these
-- param by text = implementation: what differs between the two: implementation, device or dtype
-- param metric text = all: a metric by its name, or all
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param stated boolean = false: whether to leave out metrics of which nobody has said which side is better
--
-- From the view metric_verdicts: one value in a replicate, paired by replicate, which is by the seed of the inputs. The
-- ratio is above 1 where the candidate has less, or more of what is better for being more. Values within the margin
-- (each metric has one) are equivalent. Directions and equivalences are adjusted for all comparisons of the run with
-- the baseline by the same metric (Benjamini-Hochberg, 5 %). Counts that are the same in every process are exact: their
-- interval is the ratio itself. A comparison that is lost has no ratio, and its reason says why: what became of a
-- trial; no-value where a variant has no such metric; not-positive, not-finite or not-reached where a value of some
-- replicate can have no ratio; no-pieces where an estimate over items, which is judged by pieces of its data, has none; and
-- lacks-4-of-24-pieces where one side has not all of the other's.
SELECT
    run_id,
    workload,
    case_name,
    cache,
    first_trial,
    metric,
    unit,
    better,
    baseline,
    candidate,
    baseline_value,
    candidate_value,
    ratio,
    low,
    high,
    verdict,
    said,
    reason,
    margin,
    minimum_detectable_effect,
    unseen_share,
    scope,
    replicates,
    q_value
FROM metric_verdicts
WHERE run_id = $run
    AND ($metric = 'all' OR metric = $metric)
    AND (better IS NOT NULL OR NOT CAST($stated AS BOOLEAN))
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
ORDER BY first_trial, metric, baseline, candidate
