-- title: What searches and loops have found of each model: architectures, settings, and where loops have come to
-- param model text = all: a model by its name, or all
--
-- The matrix has techniques that somebody has chosen; here stands what was found by measuring. A row for each setting that fresh
-- processes have confirmed (runs with the tag tune:NAME:confirmed; the usual setting stands beside them), and for the last turn of
-- each feedback loop. A search has looked for architectures where it has tried several cases of the model, and for settings where
-- it has tried one. The model is the first word of a case; tried counts the settings of the whole search or loop.
WITH asked AS (
    SELECT run_id, started_at, array_to_string(tags, ' ') AS tag FROM runs
),
named AS (
    SELECT
        run_id,
        started_at,
        split_part(tag, ':', 1) AS way,
        concat(split_part(tag, ':', 1), ':', split_part(tag, ':', 2)) AS search,
        split_part(tag, ':', 3) = 'confirmed' AS is_confirmed
    FROM asked
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
        AND (CAST($model AS VARCHAR) = 'all' OR split_part(t.case_name, ' ', 1) = CAST($model AS VARCHAR))
),
tried AS (
    SELECT
        search,
        model,
        count(DISTINCT case_name) AS cases,
        count(DISTINCT concat(case_name, ' ', variant)) AS settings,
        max(started_at) AS last_at
    FROM of_models
    WHERE NOT is_confirmed
    GROUP BY search, model
)
SELECT
    f.model,
    CASE WHEN f.way = 'feedback' THEN 'feedback' WHEN d.cases > 1 THEN 'architecture search' ELSE 'tuning' END AS found_by,
    f.search,
    d.settings AS tried,
    f.case_name,
    f.variant,
    replicate_median(r.time_ns, r.replicate) AS median_ns,
    count(DISTINCT r.replicate) AS replicates
FROM of_models f
JOIN tried d ON d.search = f.search AND d.model = f.model
LEFT JOIN results r ON r.run_id = f.run_id AND r.trial = f.trial AND r.valid
WHERE f.is_confirmed OR (f.way = 'feedback' AND f.started_at = d.last_at)
GROUP BY f.model, f.way, d.cases, f.search, d.settings, f.case_name, f.variant
ORDER BY f.model, found_by, f.search, median_ns, f.variant
