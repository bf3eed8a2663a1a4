-- What searches and feedback loops have found of each model of the matrix, a row for each setting of the newest run in which
-- fresh processes have confirmed what a search found (its tag is tune:NAME:confirmed), and for the last turn of each loop. A
-- search has looked for architectures where it has tried several cases of the model, and for settings where it has tried one;
-- there the usual setting stands beside what was found, and has the place 0. What was found comes in the order of the search.
WITH named AS (
    SELECT
        run_id,
        started_at,
        split_part(tag, ':', 1) AS way,
        concat(split_part(tag, ':', 1), ':', split_part(tag, ':', 2)) AS search,
        split_part(tag, ':', 3) = 'confirmed' AS is_confirmed
    FROM (SELECT run_id, started_at, array_to_string(tags, ' ') AS tag FROM runs) AS tagged
    WHERE split_part(tag, ':', 1) IN ('tune', 'feedback')
),
of_models AS (
    SELECT
        n.run_id,
        n.started_at,
        n.way,
        n.search,
        n.is_confirmed,
        t.trial,
        split_part(t.case_name, ' ', 1) AS model,
        t.case_name,
        t.variant
    FROM named n
    JOIN trials t ON t.run_id = n.run_id
    WHERE t.workload IN ('forced-decoding', 'text-quality', 'embedding-quality', 'speech-quality')
),
tried AS (
    SELECT
        search,
        model,
        count(DISTINCT case_name) AS cases,
        count(DISTINCT concat(case_name, ' ', variant)) AS settings
    FROM of_models
    WHERE NOT is_confirmed
    GROUP BY search, model
),
newest AS (
    SELECT search, model, max(started_at) AS started_at
    FROM of_models
    WHERE is_confirmed OR way = 'feedback'
    GROUP BY search, model
),
settings AS (
    SELECT
        f.model,
        f.way,
        f.search,
        f.run_id,
        f.case_name,
        f.variant,
        d.cases,
        d.settings AS tried,
        min(f.trial) AS first_trial,
        replicate_median(r.time_ns, r.replicate) AS median_ns,
        replicate_low(r.time_ns, r.replicate) AS low_ns,
        replicate_high(r.time_ns, r.replicate) AS high_ns,
        count(DISTINCT r.replicate) AS replicates
    FROM of_models f
    JOIN tried d ON d.search = f.search AND d.model = f.model
    JOIN newest n ON n.search = f.search AND n.model = f.model AND n.started_at = f.started_at
    LEFT JOIN results r ON r.run_id = f.run_id AND r.trial = f.trial AND r.valid
    GROUP BY f.model, f.way, f.search, f.run_id, f.case_name, f.variant, d.cases, d.settings
),
placed AS (
    SELECT
        *,
        CAST(row_number() OVER (PARTITION BY run_id, model ORDER BY first_trial) AS BIGINT)
        - CASE WHEN way = 'tune' AND cases = 1 THEN 1 ELSE 0 END AS place
    FROM settings
)
SELECT
    p.model,
    CASE
        WHEN p.way = 'feedback' THEN 'feedback mechanisms'
        WHEN p.cases > 1 THEN 'continuous architecture search'
        ELSE 'automatic machine learning'
    END AS optimization,
    CASE WHEN p.way = 'feedback' THEN 'feedback' WHEN p.cases > 1 THEN 'architecture search' ELSE 'tuning' END AS found_by,
    p.search,
    p.tried,
    p.place,
    p.case_name,
    p.variant,
    p.median_ns,
    p.low_ns,
    p.high_ns,
    u.variant AS baseline,
    v.speedup,
    v.low,
    v.high,
    v.said,
    v.verdict,
    p.replicates,
    p.run_id
FROM placed p
LEFT JOIN placed u ON u.run_id = p.run_id AND u.case_name = p.case_name AND u.place = 0 AND p.place > 0
LEFT JOIN verdicts v
    ON v.run_id = p.run_id AND v.case_name = p.case_name AND v.candidate = p.variant AND v.baseline = u.variant
