-- title: The length, or other parameter, from which on one line of a sweep is faster than another
-- param candidate text = %: lines that become faster, by workload, variant and parameters; `%` for any part
-- param baseline text = %: lines beside which they do, in the same way
-- param x parameter = seq: the parameter that is the length, or what else grows, such as the percentage of zeros
-- param other_x text = seq_q: the parameter that is the length where x is none
-- param along text = seq_kv: parameters that grow along with it, comma-separated
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- A line is a variant of a workload with all other parameters the same; every pair of lines that the names allow is
-- a row. From valid samples, in each replicate by itself: of the lengths that both lines have, the last at which the
-- candidate's median is not below the baseline's, and the next one; between these, the length at which straight lines
-- through the logarithms meet. Each replicate counts once: crossover is their geometric mean, with Student's interval
-- over replicates (95 %), NULL below five. Where a replicate has none, there is no crossover, and the reason says why:
-- nothing tells of lengths that were not measured. A replicate that lacks a length is left out.
WITH samples_at AS (
    SELECT
        rtrim(
            r.workload || ' ' || r.variant || ' '
            || other_params(
                t.params, CAST($x AS VARCHAR) || ',' || CAST($other_x AS VARCHAR) || ',' || CAST($along AS VARCHAR)
            )
        ) AS line,
        r.cache,
        coalesce(param(t.params, CAST($x AS VARCHAR)), param(t.params, CAST($other_x AS VARCHAR))) AS x,
        r.replicate,
        r.trial,
        r.time_ns
    FROM results r
    JOIN trials t ON t.run_id = r.run_id AND t.trial = r.trial
    WHERE r.run_id = $run AND t.run_id = $run AND r.valid
),
points AS (
    SELECT
        line,
        cache,
        x,
        replicate,
        min(trial) AS first_trial,
        order_summary(time_ns)['median'] AS time_ns
    FROM samples_at
    WHERE x > 0
    GROUP BY line, cache, x, replicate
),
-- How far behind the candidate is: below 0 it is ahead.
beside AS (
    SELECT
        c.line AS candidate,
        b.line AS baseline,
        c.cache,
        c.replicate,
        c.x,
        c.first_trial,
        ln(c.time_ns / b.time_ns) AS behind
    FROM points c
    JOIN points b ON b.cache = c.cache AND b.replicate = c.replicate AND b.x = c.x
    WHERE b.line <> c.line
        AND c.line LIKE CAST($candidate AS VARCHAR)
        AND b.line LIKE CAST($baseline AS VARCHAR)
),
stretches AS (
    SELECT
        *,
        lead(x) OVER (PARTITION BY candidate, baseline, cache, replicate ORDER BY x) AS next_x,
        lead(behind) OVER (PARTITION BY candidate, baseline, cache, replicate ORDER BY x) AS next_behind
    FROM beside
),
ends AS (
    SELECT
        candidate,
        baseline,
        cache,
        replicate,
        count(*) AS lengths,
        min(x) AS shortest,
        max(x) AS longest,
        min(first_trial) AS first_trial,
        max(x) FILTER (WHERE behind >= 0) AS last_slower,
        -- The last of several: each lies between two lengths of its own.
        max(exp(ln(x) + (ln(next_x) - ln(x)) * behind / (behind - next_behind)))
            FILTER (WHERE behind >= 0 AND next_behind < 0) AS last_crossing
    FROM stretches
    GROUP BY candidate, baseline, cache, replicate
),
whole AS (
    SELECT
        *,
        CASE WHEN last_slower < longest THEN last_crossing END AS crossing,
        max(lengths) OVER (PARTITION BY candidate, baseline, cache) AS most
    FROM ends
)
SELECT
    candidate,
    baseline,
    cache,
    max(lengths) AS lengths,
    min(shortest) AS shortest,
    max(longest) AS longest,
    count(*) AS replicates,
    CASE WHEN count(crossing) = count(*) THEN replicate_median(crossing, replicate) END AS crossover,
    CASE WHEN count(crossing) = count(*) THEN replicate_low(crossing, replicate) END AS low,
    CASE WHEN count(crossing) = count(*) THEN replicate_high(crossing, replicate) END AS high,
    CASE
        WHEN count(crossing) = count(*) THEN NULL
        WHEN count(last_slower) = 0 THEN 'faster at every length'
        WHEN count(last_slower) = count(*) AND count(crossing) = 0 THEN 'not faster at the longest'
        ELSE 'replicates differ'
    END AS reason
FROM whole
WHERE lengths = most
GROUP BY candidate, baseline, cache
ORDER BY min(first_trial), candidate, baseline
