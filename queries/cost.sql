-- title: What a call and a token cost: energy, power, tokens per joule, CO2 and money, per variant and case
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param price_per_hour number = 0: what the machine costs in an hour, in any currency; 0 where nobody says
-- param grams_per_kwh number = 0: grams of CO2 for a kilowatt-hour where the machine stands; 0 where nobody says
--
-- From valid samples of trials that may be used. A replicate has one value of each: the energy is the metric
-- cpu_energy_joules, of whole processors and their memory as Linux counts it (RAPL), that of no other device; power is this over
-- the mean time of a call; tokens are those that its steps made. The money is the price of as long as a million tokens take at the
-- tokens per second of its steps, on a machine that does nothing else. Here stands the geometric mean over the replicates with
-- Student's interval over their logarithms (95 %, from five replicates on). What is NULL has its reason.
WITH settings AS (
    SELECT
        nullif(CAST($price_per_hour AS DOUBLE), 0) AS price_per_hour,
        nullif(CAST($grams_per_kwh AS DOUBLE), 0) AS grams_per_kwh
),
timed AS (
    SELECT
        workload, case_name, cache, variant, replicate, trial,
        avg(time_ns) AS mean_ns
    FROM results
    WHERE run_id = $run AND valid
    GROUP BY workload, case_name, cache, variant, replicate, trial
),
spoken AS (
    SELECT
        st.trial,
        CAST(sum(st.tokens) AS DOUBLE) / count(DISTINCT st.sample) AS tokens
    FROM steps st
    JOIN results r ON r.run_id = st.run_id AND r.trial = st.trial AND r.sample = st.sample
    WHERE st.run_id = $run AND r.run_id = $run AND r.valid
    GROUP BY st.trial
),
told AS (
    SELECT
        trial,
        max(CASE WHEN metric = 'cpu_energy_joules' THEN value END) AS joules,
        max(CASE WHEN metric = 'tokens_per_second' THEN value END) AS tokens_per_second
    FROM metric_values
    WHERE run_id = $run AND lost IS NULL AND metric IN ('cpu_energy_joules', 'tokens_per_second')
    GROUP BY trial
),
of_trials AS (
    SELECT
        t.*,
        m.joules,
        m.tokens_per_second,
        m.joules / nullif(t.mean_ns / 1e9, 0) AS watts,
        -- The counters did not move, or no token was made: nothing is said of their ratio.
        nullif(k.tokens, 0) / nullif(m.joules, 0) AS tokens_per_joule,
        m.joules / 3.6e6 * s.grams_per_kwh AS co2_grams,
        s.price_per_hour / 3600 / nullif(m.tokens_per_second, 0) * 1e6 AS million_tokens,
        s.price_per_hour,
        s.grams_per_kwh
    FROM timed t
    CROSS JOIN settings s
    LEFT JOIN spoken k ON k.trial = t.trial
    LEFT JOIN told m ON m.trial = t.trial
),
energy AS (
    SELECT min(message) AS why FROM events WHERE run_id = $run AND kind = 'energy'
),
summed AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        min(trial) AS first_trial,
        count(DISTINCT replicate) AS replicates,
        max(price_per_hour) AS price_per_hour,
        max(grams_per_kwh) AS grams_per_kwh,
        replicate_median(joules, replicate) AS joules,
        replicate_low(joules, replicate) AS joules_low,
        replicate_high(joules, replicate) AS joules_high,
        replicate_median(watts, replicate) AS watts,
        replicate_median(tokens_per_second, replicate) AS tokens_per_second,
        replicate_median(tokens_per_joule, replicate) AS tokens_per_joule,
        replicate_low(tokens_per_joule, replicate) AS tokens_per_joule_low,
        replicate_high(tokens_per_joule, replicate) AS tokens_per_joule_high,
        replicate_median(co2_grams, replicate) AS co2_grams,
        replicate_low(co2_grams, replicate) AS co2_grams_low,
        replicate_high(co2_grams, replicate) AS co2_grams_high,
        replicate_median(million_tokens, replicate) AS cost_per_million_tokens,
        replicate_low(million_tokens, replicate) AS cost_per_million_tokens_low,
        replicate_high(million_tokens, replicate) AS cost_per_million_tokens_high
    FROM of_trials
    GROUP BY workload, case_name, cache, variant
),
worded AS (
    SELECT
        s.*,
        concat_ws(
            '; ',
            CASE
                WHEN s.joules IS NULL
                THEN 'no energy: ' || coalesce(e.why, 'it was measured before energy was read')
            END,
            CASE WHEN s.tokens_per_second IS NULL THEN 'no tokens: no step made any' END,
            CASE WHEN s.joules IS NOT NULL AND s.grams_per_kwh IS NULL THEN 'no CO2: grams_per_kwh was not given' END,
            CASE
                WHEN s.tokens_per_second IS NOT NULL AND s.price_per_hour IS NULL
                THEN 'no cost: price_per_hour was not given'
            END,
            CASE WHEN s.replicates < 5 THEN 'no interval: too few replicates' END
        ) AS words
    FROM summed s
    CROSS JOIN energy e
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    replicates,
    joules,
    joules_low,
    joules_high,
    watts,
    tokens_per_second,
    tokens_per_joule,
    tokens_per_joule_low,
    tokens_per_joule_high,
    co2_grams,
    co2_grams_low,
    co2_grams_high,
    cost_per_million_tokens,
    cost_per_million_tokens_low,
    cost_per_million_tokens_high,
    CASE WHEN words <> '' THEN words END AS reason
FROM worded
ORDER BY first_trial
