-- title: Peak memory of every trial beside the baseline's
-- param baseline variant = naive: the variant or implementation to stand beside
-- param measure text = peak_memory_bytes: the name of the measure, in bytes
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
WITH peaks AS (
    SELECT
        t.workload,
        t.case_name,
        t.cache,
        t.replicate,
        t.variant,
        t.implementation,
        m.device,
        max(m.value) AS peak_bytes
    FROM measures m
    JOIN trials t ON t.run_id = m.run_id AND t.trial = m.trial
    WHERE m.run_id = $run AND t.run_id = $run AND m.name = $measure
    GROUP BY t.workload, t.case_name, t.cache, t.replicate, t.variant, t.implementation, m.device
),
baselines AS (
    SELECT * FROM peaks WHERE variant = $baseline OR implementation = $baseline
)
SELECT
    p.workload,
    p.case_name,
    p.cache,
    p.replicate,
    p.variant,
    p.device,
    p.peak_bytes,
    b.variant AS baseline,
    b.peak_bytes AS baseline_peak_bytes,
    p.peak_bytes / nullif(b.peak_bytes, 0) AS ratio
FROM peaks p
LEFT JOIN baselines b
    ON b.workload = p.workload
    AND b.case_name = p.case_name
    AND b.cache = p.cache
    AND b.replicate = p.replicate
    AND b.device IS NOT DISTINCT FROM p.device
ORDER BY p.workload, p.case_name, p.cache, p.replicate, p.variant, p.device, b.variant
