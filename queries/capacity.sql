-- title: Throughput against latency over the cases of a sweep, such as batch sizes, and the most within a service level
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param most_step_ms number = 0: milliseconds that 99 of 100 steps may take, for which a sequence waits; 0 where nobody says
-- param most_first_ms number = 0: milliseconds until the first token; 0 where nobody says
--
-- A row for each case of a variant whose steps make tokens, by the table metric_values, where each replicate has one value:
-- tokens a second of all sequences, the 99th percentile of the steps after the first, for which each sequence waits, and the
-- time to the first token. Here stand geometric means over the replicates; the bounds are Student's over their logarithms
-- (95 %, from five replicates on). A case keeps the level where the upper bounds of both times do, and breaks it where a lower
-- bound does not; within is NULL where the interval holds the level, there is none, or nobody said a level. is_capacity marks
-- the case with the most tokens a second of those that keep it.
WITH settings AS (
    SELECT
        1e6 * nullif(CAST($most_step_ms AS DOUBLE), 0) AS most_step_ns,
        1e6 * nullif(CAST($most_first_ms AS DOUBLE), 0) AS most_first_ns
),
told AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        replicate,
        min(trial) AS trial,
        max(CASE WHEN metric = 'tokens_per_second' THEN value END) AS tokens_per_second,
        max(CASE WHEN metric = 'step_time_p99' THEN value END) AS step_ns,
        max(CASE WHEN metric = 'time_to_first_token' THEN value END) AS first_ns
    FROM metric_values
    WHERE run_id = $run
        AND lost IS NULL
        AND metric IN ('tokens_per_second', 'step_time_p99', 'time_to_first_token')
    GROUP BY workload, case_name, cache, variant, replicate
),
summed AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        min(trial) AS first_trial,
        count(*) AS replicates,
        replicate_median(tokens_per_second, replicate) AS tokens_per_second,
        replicate_low(tokens_per_second, replicate) AS tokens_per_second_low,
        replicate_high(tokens_per_second, replicate) AS tokens_per_second_high,
        replicate_median(step_ns, replicate) AS step_p99_ns,
        replicate_low(step_ns, replicate) AS step_p99_low_ns,
        replicate_high(step_ns, replicate) AS step_p99_high_ns,
        replicate_median(first_ns, replicate) AS first_token_ns,
        replicate_low(first_ns, replicate) AS first_token_low_ns,
        replicate_high(first_ns, replicate) AS first_token_high_ns
    FROM told
    GROUP BY workload, case_name, cache, variant
),
judged AS (
    SELECT
        m.*,
        CASE
            WHEN s.most_step_ns IS NULL AND s.most_first_ns IS NULL THEN NULL
            WHEN m.step_p99_low_ns > s.most_step_ns OR m.first_token_low_ns > s.most_first_ns THEN false
            WHEN (s.most_step_ns IS NULL OR m.step_p99_high_ns <= s.most_step_ns)
                AND (s.most_first_ns IS NULL OR m.first_token_high_ns <= s.most_first_ns)
            THEN true
        END AS within
    FROM summed m
    CROSS JOIN settings s
),
best AS (
    SELECT
        *,
        max(CASE WHEN within THEN tokens_per_second END) OVER (PARTITION BY workload, cache, variant) AS capacity
    FROM judged
    WHERE tokens_per_second IS NOT NULL
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    replicates,
    tokens_per_second,
    tokens_per_second_low,
    tokens_per_second_high,
    step_p99_ns,
    step_p99_low_ns,
    step_p99_high_ns,
    first_token_ns,
    first_token_low_ns,
    first_token_high_ns,
    within,
    coalesce(within AND tokens_per_second = capacity, false) AS is_capacity
FROM best
ORDER BY first_trial
