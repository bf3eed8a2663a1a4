-- title: Steps of every variant, per case: the time to the first, that of the others, steps, tokens and requests a second
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- A step is one turn of a loop: a token, a training step. From valid samples of trials that may be used, by the table
-- metric_values, where each replicate has one value: the time from the start of a sample to the end of its first step,
-- the median and the 99th percentile of the others, and the tokens of all steps over their time; of steps that make
-- tokens, the time to the first token, that of a step over its tokens, and its 99th percentile over its median; steps a second
-- are as many as fit into one at the median; requests a second are those that the steps have finished over their time, where
-- steps say so. Here stands the geometric mean over the replicates, for the median step with Student's interval (95 %, from
-- five replicates on).
SELECT
    workload,
    case_name,
    cache,
    variant,
    count(DISTINCT replicate) AS replicates,
    replicate_median(CASE WHEN metric = 'time_to_first_step' THEN value END, replicate) AS first_step_ns,
    replicate_median(CASE WHEN metric = 'step_time' THEN value END, replicate) AS step_ns,
    replicate_low(CASE WHEN metric = 'step_time' THEN value END, replicate) AS step_low_ns,
    replicate_high(CASE WHEN metric = 'step_time' THEN value END, replicate) AS step_high_ns,
    replicate_median(CASE WHEN metric = 'step_time_p99' THEN value END, replicate) AS step_p99_ns,
    replicate_median(CASE WHEN metric = 'step_time' THEN 1e9 / nullif(value, 0.0) END, replicate) AS steps_per_second,
    replicate_median(CASE WHEN metric = 'tokens_per_second' THEN value END, replicate) AS tokens_per_second,
    replicate_median(CASE WHEN metric = 'time_to_first_token' THEN value END, replicate) AS first_token_ns,
    replicate_median(CASE WHEN metric = 'inter_token_latency' THEN value END, replicate) AS inter_token_ns,
    replicate_median(CASE WHEN metric = 'inter_token_spread' THEN value END, replicate) AS inter_token_spread,
    replicate_median(CASE WHEN metric = 'requests_per_second' THEN value END, replicate) AS requests_per_second
FROM metric_values
WHERE run_id = $run
    AND lost IS NULL
    AND metric IN (
        'time_to_first_step',
        'step_time',
        'step_time_p99',
        'tokens_per_second',
        'time_to_first_token',
        'inter_token_latency',
        'inter_token_spread',
        'requests_per_second'
    )
GROUP BY workload, case_name, cache, variant
ORDER BY min(trial)
