-- The view `metric_verdicts`: what is judged of everything but the times of samples.
--
-- A time is faster or slower. What is known to have a better side is better or worse, and of the rest it is only said
-- whether the candidate has less or more.
WITH told AS (
    SELECT
        j.*,
        k.unit,
        k.better,
        k.margin,
        CASE
            WHEN j.verdict NOT IN ('faster', 'slower') THEN NULL
            WHEN k.unit = 'ns' THEN j.verdict
            WHEN k.better IS NULL THEN CASE j.verdict WHEN 'faster' THEN 'less' ELSE 'more' END
            ELSE CASE j.verdict WHEN 'faster' THEN 'better' ELSE 'worse' END
        END AS direction
    FROM "Judged" j
    JOIN "Kinds" k ON k.run_id = j.run_id AND k.workload = j.workload AND k.metric = j.metric
)
SELECT
    run_id,
    workload,
    case_name,
    cache,
    metric,
    unit,
    better,
    margin,
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
    nearest,
    first_trial,
    baseline_value,
    candidate_value,
    ratio,
    low,
    high,
    equivalence_low,
    equivalence_high,
    coalesce(direction, verdict) AS verdict,
    coalesce(direction, said) AS said,
    -- There is one value in a replicate, and no block.
    CASE reason
        WHEN 'too-few-blocks' THEN 'few-replicates'
        WHEN 'no-common-block' THEN 'no-common-replicate'
        ELSE reason
    END AS reason,
    minimum_detectable_effect,
    unseen_share,
    scope,
    replicates,
    standard_error,
    df,
    p_value,
    q_value,
    equivalence_p,
    equivalence_q,
    -- The equivalence interval by its names of old.
    equivalence_low AS size_low,
    equivalence_high AS size_high
FROM told
