-- The view `metric_pairs`: all ordered pairs of variants in a replicate, one row for each metric.
--
-- The log ratio is above 0 where the candidate has less of the metric, or more of one of which more is better. Equal
-- values have a ratio of 1, also where both are 0. Where a value of any replicate can have no ratio, because it is not
-- a number, is not above 0, or was never reached, the pair has none at all (`lost` says why): those that are left would
-- be the ones that went well.
--
-- A figure over items is the same in every process that answers the same: what another text would change is seen
-- between pieces of this one. Its pairs are of one piece each, and pieces take the place of replicates (replicates are
-- their blocks). A figure that tells of no pieces cannot be judged, nor one beside it that does; and where one side
-- lacks pieces of the other, `lost` says how many.
WITH pieces AS (
    SELECT v.run_id, v.trial, v.name, v.step AS piece, avg(v.value) AS value
    FROM step_values v
    JOIN samples sa ON sa.run_id = v.run_id AND sa.trial = v.trial AND sa.sample = v.sample
    JOIN metric_values m ON m.run_id = v.run_id AND m.trial = v.trial AND m.metric = v.name
    WHERE m.items IS NOT NULL AND sa.valid AND sa.iterations > 0
    GROUP BY v.run_id, v.trial, v.name, v.step
),
sides AS (
    SELECT
        v.run_id,
        v.workload,
        v.case_name,
        v.cache,
        v.replicate,
        v.variant,
        v.implementation,
        v.trial,
        v.metric,
        p.piece,
        count(p.piece) OVER (PARTITION BY v.run_id, v.trial, v.metric, v.unit) AS pieces,
        coalesce(p.value, v.value) AS value,
        v.unit,
        v.better,
        v.margin,
        f.pair_group,
        f.variant_number,
        f.pilot,
        CASE
            WHEN v.items IS NOT NULL AND p.piece IS NULL THEN 'no-pieces'
            WHEN coalesce(p.value, v.value) IS NULL THEN 'not-reached'
            WHEN isnan(coalesce(p.value, v.value)) OR abs(coalesce(p.value, v.value)) > 1e300 THEN 'not-finite'
        END AS spoiled
    FROM metric_values v
    JOIN "Facts" f ON f.run_id = v.run_id AND f.trial = v.trial
    LEFT JOIN pieces p ON p.run_id = v.run_id AND p.trial = v.trial AND p.name = v.metric
    WHERE v.lost IS NULL
),
beside AS (
    SELECT
        b.run_id,
        b.workload,
        b.case_name,
        b.cache,
        coalesce(b.piece, b.replicate) AS replicate,
        b.replicate AS block,
        b.variant AS baseline,
        c.variant AS candidate,
        b.implementation AS baseline_implementation,
        c.implementation AS candidate_implementation,
        b.trial AS baseline_trial,
        c.trial AS candidate_trial,
        b.value AS baseline_value,
        c.value AS candidate_value,
        CASE
            WHEN b.value = c.value THEN 0.0
            WHEN b.value <= 0 OR c.value <= 0 THEN NULL
            WHEN b.better = 'higher' THEN ln(c.value) - ln(b.value)
            ELSE ln(b.value) - ln(c.value)
        END AS log_ratio,
        -- The number of pieces was fixed before anything was measured.
        CASE WHEN b.piece IS NULL THEN b.pilot END AS pilot,
        b.metric,
        b.unit,
        b.better,
        b.margin,
        coalesce(
            b.spoiled,
            CASE
                WHEN b.piece IS NULL AND c.piece IS NOT NULL THEN 'no-pieces'
                WHEN b.value <= 0 AND b.value <> c.value THEN 'not-positive'
            END
        ) AS baseline_spoiled,
        coalesce(
            c.spoiled,
            CASE
                WHEN c.piece IS NULL AND b.piece IS NOT NULL THEN 'no-pieces'
                WHEN c.value <= 0 AND b.value <> c.value THEN 'not-positive'
            END
        ) AS candidate_spoiled,
        b.pieces AS baseline_pieces,
        c.pieces AS candidate_pieces,
        count(CASE WHEN b.piece = c.piece THEN 1 END)
            OVER (PARTITION BY b.run_id, b.trial, c.trial, b.metric, b.unit) AS matched
    FROM sides b
    JOIN sides c
        ON c.run_id = b.run_id AND c.pair_group = b.pair_group AND c.metric = b.metric AND c.unit = b.unit
        AND (c.piece = b.piece OR c.piece IS NULL OR b.piece IS NULL)
    WHERE b.variant_number <> c.variant_number
),
-- Pieces of the other side that this one does not have.
lacking AS (
    SELECT
        *,
        coalesce(
            baseline_spoiled,
            CASE
                WHEN matched < candidate_pieces THEN concat(
                    'lacks-',
                    CAST(candidate_pieces - matched AS VARCHAR),
                    '-of-',
                    CAST(candidate_pieces AS VARCHAR),
                    '-pieces'
                )
            END
        ) AS baseline_fault,
        coalesce(
            candidate_spoiled,
            CASE
                WHEN matched < baseline_pieces THEN concat(
                    'lacks-',
                    CAST(baseline_pieces - matched AS VARCHAR),
                    '-of-',
                    CAST(baseline_pieces AS VARCHAR),
                    '-pieces'
                )
            END
        ) AS candidate_fault
    FROM beside
),
told AS (
    SELECT
        *,
        max(
            CAST(
                nullif(concat_ws(', ', 'baseline-' || baseline_fault, 'candidate-' || candidate_fault), '') AS VARCHAR
            )
        ) OVER (
            PARTITION BY
                run_id,
                workload,
                case_name,
                cache,
                metric,
                baseline,
                candidate,
                baseline_implementation,
                candidate_implementation
        ) AS lost
    FROM lacking
)
SELECT
    run_id,
    workload,
    case_name,
    cache,
    replicate,
    block,
    baseline,
    candidate,
    baseline_implementation,
    candidate_implementation,
    baseline_trial,
    candidate_trial,
    baseline_value,
    candidate_value,
    CASE WHEN lost IS NULL THEN log_ratio END AS log_ratio,
    pilot,
    metric,
    unit,
    better,
    margin,
    -- A time that does not vary is the sign of a coarse clock; a count that does not is exact.
    unit NOT IN ('ns', '1/s') AS exact,
    lost
FROM told
