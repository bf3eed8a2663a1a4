-- The table `metric_values`: one number for each trial and metric beside the time of samples, whatever became of the
-- trial (`lost` says it). Four sources:
--
-- A measure of the whole trial, under its own name. Bytes are the sum over devices, other measures the largest. What
-- only says how the trial was measured is no metric.
-- A figure over items, such as a perplexity over tokens, has a measure NAME_items that says how many, and may have the
-- bounds NAME_low and NAME_high; these stand beside it as `items`, `low` and `high`, and are no metrics. Where it has
-- steps, they are the pieces of its data (`pairs.sql`), and no metrics either.
-- Steps of valid samples: the time from the start of a sample to the end of its first step, the median time and the
-- 99th percentile of the other steps, and the tokens of all steps over their time. Where a measure epoch_steps says how
-- many steps go once through the text, epoch_time is as many times the median. Where steps say how many requests they have
-- finished, requests_per_second is those of all steps over the time of all steps: nobody waits in it for a request to arrive.
-- Tokens of valid samples: the time from the start of a sample to the end of the first step that made one; of the steps
-- after it that made some, their time over their tokens: the median, the 99th percentile, and how far the second is above
-- the first (inter_token_spread, 1 where every token takes as long).
-- Values of steps: NAME_last is that of the last step of a sample, NAME_mean the mean over its steps, both the median
-- over the samples. Where a measure NAME_threshold says how far to go, steps_to_NAME is how many steps it took; where a
-- sample never got there, the trial has a row without a value.
WITH figures AS (
    SELECT run_id, trial, substr(name, 1, character_length(name) - 6) AS figure, max(value) AS items
    FROM measures
    WHERE sample IS NULL AND ends_with(name, '_items')
    GROUP BY run_id, trial, substr(name, 1, character_length(name) - 6)
),
of_figures AS (
    SELECT f.run_id, f.trial, concat(f.figure, k.ending) AS name
    FROM figures f
    CROSS JOIN (VALUES ('_items'), ('_low'), ('_high')) AS k(ending)
),
bounds AS (
    SELECT
        f.run_id,
        f.trial,
        f.figure AS name,
        max(f.items) AS items,
        max(CASE WHEN m.name = concat(f.figure, '_low') THEN m.value END) AS low,
        max(CASE WHEN m.name = concat(f.figure, '_high') THEN m.value END) AS high
    FROM figures f
    LEFT JOIN measures m ON m.run_id = f.run_id AND m.trial = f.trial AND m.sample IS NULL
    GROUP BY f.run_id, f.trial, f.figure
),
measured AS (
    SELECT m.run_id, m.trial, m.name, m.device, m.unit, max(m.value) AS value
    FROM measures m
    LEFT ANTI JOIN of_figures b ON b.run_id = m.run_id AND b.trial = m.trial AND b.name = m.name
    WHERE m.sample IS NULL
        AND m.name NOT IN ('warmup_iterations', 'warmup_settled', 'input_copies', 'inputs_change', 'coarse_cpu_time', 'first_tie')
    GROUP BY m.run_id, m.trial, m.name, m.device, m.unit
),
timed AS (
    SELECT
        st.run_id,
        st.trial,
        st.sample,
        st.step,
        st.tokens,
        CAST(st.elapsed_ns AS DOUBLE) AS elapsed_ns,
        CAST(st.started_ns + st.elapsed_ns - sa.started_ns AS DOUBLE) AS ended_ns
    FROM steps st
    JOIN samples sa ON sa.run_id = st.run_id AND sa.trial = st.trial AND sa.sample = st.sample
    WHERE sa.valid AND sa.iterations > 0
),
of_steps AS (
    SELECT
        run_id,
        trial,
        median(CASE WHEN step = 0 THEN ended_ns END) AS first_ns,
        median(CASE WHEN step > 0 THEN elapsed_ns END) AS step_ns,
        percentile_cont(CASE WHEN step > 0 THEN elapsed_ns END, 0.99) AS p99_ns,
        1e9 * CAST(sum(tokens) AS DOUBLE) / nullif(sum(elapsed_ns), 0.0) AS tokens_per_second
    FROM timed
    GROUP BY run_id, trial
),
of_requests AS (
    SELECT t.run_id, t.trial, 1e9 * sum(v.value) / nullif(sum(t.elapsed_ns), 0.0) AS value
    FROM timed t
    JOIN step_values v ON v.run_id = t.run_id AND v.trial = t.trial AND v.sample = t.sample AND v.step = t.step
    WHERE v.name = 'finished'
    GROUP BY t.run_id, t.trial
),
first_tokens AS (
    SELECT run_id, trial, sample, min(step) AS step, min(ended_ns) AS ended_ns
    FROM timed
    WHERE tokens > 0
    GROUP BY run_id, trial, sample
),
of_tokens AS (
    SELECT
        t.run_id,
        t.trial,
        median(CASE WHEN t.step = f.step THEN f.ended_ns END) AS first_ns,
        median(CASE WHEN t.step > f.step THEN t.elapsed_ns / CAST(t.tokens AS DOUBLE) END) AS token_ns,
        percentile_cont(CASE WHEN t.step > f.step THEN t.elapsed_ns / CAST(t.tokens AS DOUBLE) END, 0.99) AS p99_ns
    FROM timed t
    JOIN first_tokens f ON f.run_id = t.run_id AND f.trial = t.trial AND f.sample = t.sample
    WHERE t.tokens > 0
    GROUP BY t.run_id, t.trial
),
spoken AS (
    SELECT
        s.run_id,
        s.trial,
        k.metric,
        k.unit,
        CASE k.metric
            WHEN 'time_to_first_token' THEN s.first_ns
            WHEN 'inter_token_latency' THEN s.token_ns
            WHEN 'inter_token_latency_p99' THEN s.p99_ns
            ELSE s.p99_ns / nullif(s.token_ns, 0.0)
        END AS value
    FROM of_tokens s
    CROSS JOIN (
        VALUES
            ('time_to_first_token', 'ns'),
            ('inter_token_latency', 'ns'),
            ('inter_token_latency_p99', 'ns'),
            ('inter_token_spread', 'ratio')
    ) AS k(metric, unit)
),
stepped AS (
    SELECT
        s.run_id,
        s.trial,
        k.metric,
        k.unit,
        CASE k.metric
            WHEN 'time_to_first_step' THEN s.first_ns
            WHEN 'step_time' THEN s.step_ns
            WHEN 'step_time_p99' THEN s.p99_ns
            ELSE s.tokens_per_second
        END AS value
    FROM of_steps s
    CROSS JOIN (
        VALUES ('time_to_first_step', 'ns'), ('step_time', 'ns'), ('step_time_p99', 'ns'), ('tokens_per_second', '1/s')
    ) AS k(metric, unit)
),
thresholds AS (
    SELECT run_id, trial, name, max(value) AS value FROM measured GROUP BY run_id, trial, name
),
of_samples AS (
    SELECT
        v.run_id,
        v.trial,
        v.sample,
        v.name,
        max(v.unit) AS unit,
        last_value(v.value ORDER BY v.step) AS last_one,
        avg(v.value) AS mean,
        max(t.value) AS threshold,
        min(
            CASE
                WHEN isnan(v.value) THEN NULL
                WHEN r.better = 'higher' AND v.value >= t.value THEN v.step + 1
                WHEN coalesce(r.better, 'lower') = 'lower' AND v.value <= t.value THEN v.step + 1
            END
        ) AS steps
    FROM step_values v
    JOIN samples sa ON sa.run_id = v.run_id AND sa.trial = v.trial AND sa.sample = v.sample
    LEFT JOIN thresholds t ON t.run_id = v.run_id AND t.trial = v.trial AND t.name = concat(v.name, '_threshold')
    LEFT JOIN "Rules" r ON r.name = v.name
    LEFT ANTI JOIN figures g ON g.run_id = v.run_id AND g.trial = v.trial AND g.figure = v.name
    WHERE sa.valid AND sa.iterations > 0
    GROUP BY v.run_id, v.trial, v.sample, v.name
),
of_values AS (
    SELECT
        run_id,
        trial,
        name,
        max(unit) AS unit,
        median(last_one) AS last_one,
        median(mean) AS mean,
        count(threshold) AS asked,
        CASE WHEN count(steps) = count(*) THEN median(CAST(steps AS DOUBLE)) END AS steps
    FROM of_samples
    GROUP BY run_id, trial, name
),
told AS (
    SELECT
        run_id,
        trial,
        name AS metric,
        name AS ruled_by,
        unit,
        CASE WHEN unit = 'bytes' THEN sum(value) ELSE max(value) END AS value
    FROM measured
    GROUP BY run_id, trial, name, unit
    UNION ALL
    SELECT run_id, trial, metric, metric AS ruled_by, unit, value FROM stepped WHERE value IS NOT NULL
    UNION ALL
    SELECT s.run_id, s.trial, 'epoch_time' AS metric, 'epoch_time' AS ruled_by, s.unit, s.value * e.value AS value
    FROM stepped s
    JOIN thresholds e ON e.run_id = s.run_id AND e.trial = s.trial AND e.name = 'epoch_steps'
    WHERE s.metric = 'step_time' AND s.value IS NOT NULL
    UNION ALL
    SELECT run_id, trial, metric, metric AS ruled_by, unit, value FROM spoken WHERE value IS NOT NULL
    UNION ALL
    SELECT run_id, trial, 'requests_per_second' AS metric, 'requests_per_second' AS ruled_by, '1/s' AS unit, value
    FROM of_requests
    WHERE value IS NOT NULL
    UNION ALL
    SELECT
        v.run_id,
        v.trial,
        CASE k.kind WHEN 'steps' THEN concat('steps_to_', v.name) ELSE concat(v.name, '_', k.kind) END AS metric,
        CASE k.kind WHEN 'steps' THEN 'steps_to' ELSE v.name END AS ruled_by,
        CASE k.kind WHEN 'steps' THEN 'count' ELSE v.unit END AS unit,
        CASE k.kind WHEN 'last' THEN v.last_one WHEN 'mean' THEN v.mean ELSE v.steps END AS value
    FROM of_values v
    CROSS JOIN (VALUES ('last'), ('mean'), ('steps')) AS k(kind)
    WHERE k.kind <> 'steps' OR v.asked > 0
)
SELECT
    f.run_id,
    f.workload,
    f.case_name,
    f.cache,
    f.variant,
    f.implementation,
    f.device,
    f.dtype,
    f.replicate,
    f.trial,
    t.metric,
    t.value,
    t.unit,
    coalesce(own.better, base.better) AS better,
    coalesce(own.margin, base.margin, 0.01) AS margin,
    f.trial_lost AS lost,
    b.items,
    b.low,
    b.high
FROM told t
JOIN "Facts" f ON f.run_id = t.run_id AND f.trial = t.trial
LEFT JOIN "Rules" own ON own.name = t.metric
LEFT JOIN "Rules" base ON base.name = t.ruled_by
LEFT JOIN bounds b ON b.run_id = t.run_id AND b.trial = t.trial AND b.name = t.metric
