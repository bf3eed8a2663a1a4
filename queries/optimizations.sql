-- title: The optimizations that the matrix is for, by their names: what stands for each, on how many models, and what it did
-- param suite text = matrix: the suite of the runs: matrix, or matrix-quick
-- param baseline text = plain,decoder,encoder,kv-cache: the implementations that are a model as it is
--
-- A row for each technique that stands for an optimization, and for each other thing that does, which is measured by the
-- command that stands beside it. cells are those of the matrix: measured, and faster or slower by the view verdicts,
-- each within its run; speedup is the best of them. runs are those of the store in which what stands elsewhere was
-- measured, of any suite; of the comparison before and after, those of the matrix. Of searches and loops over a model, cells
-- are the models of which they have found something (the view matrix_found), faster and slower those whose best setting is
-- so beside the usual one, and runs those in which fresh processes have confirmed it, or the last turn of a loop. Of an
-- implementation that stands beside another one, speedup, low, high and said are those of the best case of the newest run. A
-- command that asks a query asks it of the same suite.
WITH newest AS (
    SELECT * FROM matrix_cells
    WHERE suite = CAST($suite AS VARCHAR)
        AND age = 1
        AND strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || implementation || ',') = 0
),
cells AS (
    SELECT
        n.implementation AS technique,
        count(*) AS cells,
        sum(CASE WHEN n.well > 0 THEN 1 ELSE 0 END) AS measured,
        sum(CASE WHEN v.verdict = 'faster' THEN 1 ELSE 0 END) AS faster,
        sum(CASE WHEN v.verdict = 'slower' THEN 1 ELSE 0 END) AS slower,
        max(v.speedup) AS speedup
    FROM newest n
    LEFT JOIN verdicts v
        ON v.run_id = n.run_id AND v.case_name = n.case_name AND v.candidate = n.variant
        AND strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || v.baseline_implementation || ',') > 0
        AND v.nearest
    GROUP BY n.implementation
),
elsewhere AS (
    SELECT DISTINCT
        t.run_id,
        t.workload,
        t.implementation,
        r.suite,
        split_part(array_to_string(r.tags, ' '), ':', 1) AS tag
    FROM trials t
    JOIN runs r ON r.run_id = t.run_id
),
counted AS (
    SELECT o.optimization, o.command, count(DISTINCT e.run_id) AS runs
    FROM optimizations o
    CROSS JOIN elsewhere e
    WHERE o.command IS NOT NULL
        AND coalesce(o.workload, '') <> 'forced-decoding'
        AND coalesce(e.workload = o.workload, e.suite = CAST($suite AS VARCHAR))
        AND coalesce(e.implementation = o.implementation, true)
        AND coalesce(e.tag = o.tag, o.tag IS NULL)
    GROUP BY o.optimization, o.command
),
found AS (
    SELECT
        optimization,
        count(DISTINCT model) AS models,
        count(DISTINCT CASE WHEN place = 1 AND verdict = 'faster' THEN model END) AS faster,
        count(DISTINCT CASE WHEN place = 1 AND verdict = 'slower' THEN model END) AS slower,
        max(CASE WHEN place = 1 THEN speedup END) AS speedup,
        count(DISTINCT run_id) AS runs
    FROM matrix_found
    GROUP BY optimization
),
compared AS (
    SELECT
        o.optimization,
        o.command,
        v.speedup,
        v.low,
        v.high,
        v.said,
        row_number() OVER (
            PARTITION BY o.optimization, o.command ORDER BY r.started_at DESC, v.speedup DESC NULLS LAST
        ) AS place
    FROM optimizations o
    JOIN verdicts v
        ON v.workload = o.workload AND v.candidate_implementation = o.implementation AND v.baseline_implementation = o.beside
    JOIN runs r ON r.run_id = v.run_id
    WHERE v.nearest
),
told AS (
    SELECT
        o.place,
        o.optimization,
        o.technique,
        coalesce(c.cells, f.models, 0) AS cells,
        coalesce(c.measured, f.models, 0) AS measured,
        coalesce(c.faster, f.faster, 0) AS faster,
        coalesce(c.slower, f.slower, 0) AS slower,
        coalesce(c.speedup, f.speedup, b.speedup) AS speedup,
        b.low,
        b.high,
        b.said,
        o.beside,
        CASE WHEN o.technique IS NULL THEN coalesce(e.runs, f.runs, 0) END AS runs,
        o.command AS usual
    FROM optimizations o
    LEFT JOIN cells c ON c.technique = o.technique
    LEFT JOIN counted e ON e.optimization = o.optimization AND e.command = o.command
    LEFT JOIN found f ON f.optimization = o.optimization AND o.workload = 'forced-decoding'
    LEFT JOIN compared b ON b.optimization = o.optimization AND b.command = o.command AND b.place = 1
)
SELECT
    optimization,
    technique,
    cells,
    measured,
    faster,
    slower,
    speedup,
    low,
    high,
    said,
    beside,
    runs,
    CASE
        WHEN strpos(usual, ' --query ') > 0 AND CAST($suite AS VARCHAR) <> 'matrix'
        THEN concat(usual, ' --param suite=', CAST($suite AS VARCHAR))
        ELSE usual
    END AS command
FROM told
ORDER BY place, technique NULLS LAST, usual
