-- title: What searches and loops have found of each model: architectures, settings, and where loops have come to
-- param model text = all: a model by its name, or all
--
-- The matrix has techniques that somebody has chosen; here stands what was found by measuring (the view matrix_found). A row
-- for each setting that fresh processes have confirmed (runs with the tag tune:NAME:confirmed), and for the last turn of each
-- feedback loop, with its time and, where one search tried one case, how many times as fast it is as the usual setting, which
-- has the place 0; each with its 95 % interval over fresh processes, from five of them on. A search has looked for
-- architectures where it has tried several cases of the model, and for settings where it has tried one. The model is the
-- first word of a case; tried counts the settings of the whole search or loop. A model that a matrix of this store has, and
-- that nothing has searched, is not measured, and its command is one that does.
WITH models AS (
    SELECT DISTINCT split_part(case_name, ' ', 1) AS model
    FROM matrix_cells
    WHERE suite IN ('matrix', 'matrix-quick') AND strpos(case_name, ' seeded ') > 0 AND (well > 0 OR lost <> 'unsupported')
),
missing AS (
    SELECT m.model, o.optimization, o.tag, replace(o.command, 'smollm2-135m', m.model) AS command
    FROM models m
    CROSS JOIN optimizations o
    LEFT JOIN matrix_found f ON f.model = m.model AND f.optimization = o.optimization
    WHERE o.workload = 'forced-decoding' AND f.model IS NULL
),
told AS (
    SELECT
        model,
        optimization,
        found_by,
        'measured' AS cell,
        search,
        tried,
        place,
        CAST(case_name AS VARCHAR) AS case_name,
        CAST(variant AS VARCHAR) AS variant,
        median_ns,
        low_ns,
        high_ns,
        CAST(baseline AS VARCHAR) AS baseline,
        speedup,
        low,
        high,
        CAST(said AS VARCHAR) AS said,
        replicates,
        CAST(NULL AS VARCHAR) AS command
    FROM matrix_found
    UNION ALL
    SELECT
        model,
        optimization,
        CASE
            WHEN tag = 'feedback' THEN 'feedback'
            WHEN optimization = 'continuous architecture search' THEN 'architecture search'
            ELSE 'tuning'
        END AS found_by,
        'not measured' AS cell,
        CAST(NULL AS VARCHAR) AS search,
        CAST(NULL AS BIGINT) AS tried,
        CAST(NULL AS BIGINT) AS place,
        CAST(NULL AS VARCHAR) AS case_name,
        CAST(NULL AS VARCHAR) AS variant,
        CAST(NULL AS DOUBLE) AS median_ns,
        CAST(NULL AS DOUBLE) AS low_ns,
        CAST(NULL AS DOUBLE) AS high_ns,
        CAST(NULL AS VARCHAR) AS baseline,
        CAST(NULL AS DOUBLE) AS speedup,
        CAST(NULL AS DOUBLE) AS low,
        CAST(NULL AS DOUBLE) AS high,
        CAST(NULL AS VARCHAR) AS said,
        CAST(NULL AS BIGINT) AS replicates,
        command
    FROM missing
)
SELECT * FROM told
WHERE CAST($model AS VARCHAR) = 'all' OR model = CAST($model AS VARCHAR)
ORDER BY model, found_by, search, place, variant
