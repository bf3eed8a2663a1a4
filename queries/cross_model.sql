-- title: Each technique over all models of the matrix: on how many it is faster, how much memory it saves, what it moves
-- param suite text = matrix: the suite of the runs: matrix, or matrix-quick
-- param baseline text = plain: the implementation that is the model as it is
--
-- From the newest run of the suite for each model and technique, of seeded weights (the query matrix has what real ones
-- say of quality). Faster and slower count the verdicts of the view verdicts, each within its run. speedup is the
-- geometric mean over models, from the least to the most: models are no sample of all models, so that it has no
-- interval. memory_ratio is weights and cache over the model's own, the median.
WITH newest AS (
    SELECT * FROM matrix_cells
    WHERE suite = CAST($suite AS VARCHAR)
        AND age = 1
        AND strpos(case_name, ' seeded ') > 0
        AND implementation <> CAST($baseline AS VARCHAR)
),
memory AS (
    SELECT
        t.run_id,
        t.case_name,
        t.variant,
        median(CASE WHEN m.name = 'weight_bytes' THEN m.value END)
        + median(CASE WHEN m.name = 'cache_bytes' THEN m.value END) AS bytes,
        median(CASE WHEN m.name = 'kl_divergence' THEN m.value END) AS kl_divergence
    FROM trials t
    JOIN measures m ON m.run_id = t.run_id AND m.trial = t.trial
    WHERE m.sample IS NULL AND m.name IN ('weight_bytes', 'cache_bytes', 'kl_divergence')
    GROUP BY t.run_id, t.case_name, t.variant
),
beside AS (
    SELECT
        n.implementation AS technique,
        split_part(n.case_name, ' ', 1) AS model,
        n.well > 0 AS measured,
        n.lost = 'unsupported' AND starts_with(n.told, 'not applicable') AS inapplicable,
        v.speedup,
        v.verdict,
        m.bytes / nullif(p.bytes, 0) AS memory_ratio,
        m.kl_divergence
    FROM newest n
    LEFT JOIN verdicts v
        ON v.run_id = n.run_id AND v.case_name = n.case_name AND v.candidate = n.variant
        AND v.baseline_implementation = CAST($baseline AS VARCHAR) AND v.nearest
    LEFT JOIN memory m ON m.run_id = n.run_id AND m.case_name = n.case_name AND m.variant = n.variant
    LEFT JOIN memory p ON p.run_id = n.run_id AND p.case_name = n.case_name AND p.variant = v.baseline
)
SELECT
    technique,
    count(DISTINCT model) AS models,
    sum(CASE WHEN measured THEN 1 ELSE 0 END) AS measured,
    sum(CASE WHEN coalesce(inapplicable, false) THEN 1 ELSE 0 END) AS not_applicable,
    sum(CASE WHEN measured OR coalesce(inapplicable, false) THEN 0 ELSE 1 END) AS not_measured,
    sum(CASE WHEN verdict = 'faster' THEN 1 ELSE 0 END) AS faster,
    sum(CASE WHEN verdict = 'slower' THEN 1 ELSE 0 END) AS slower,
    exp(avg(ln(speedup))) AS speedup,
    min(speedup) AS least_speedup,
    max(speedup) AS most_speedup,
    median(memory_ratio) AS memory_ratio,
    median(kl_divergence) AS kl_divergence
FROM beside
GROUP BY technique
ORDER BY speedup DESC NULLS LAST, technique
