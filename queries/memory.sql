-- title: Memory that every variant added at its peak, beside the baseline's
-- param baseline variant = naive: the variant or implementation to stand beside
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- What a call holds at its highest beside its inputs: counted where memory comes from Rust's allocator
-- (scratch that is kept included), elsewhere measured in a process that keeps nothing of what it frees.
-- Bytes are medians over the replicates, between the lowest and the highest. The ratio is of what was
-- added in the same replicate: the geometric mean, with Student's interval over replicates (95 %),
-- NULL below five or where a replicate added nothing. Variants without this metric have no row. An implementation
-- as the baseline is its variant on the same device and in the same dtype where there is one.
WITH peaks AS (
    SELECT
        t.workload,
        t.case_name,
        t.cache,
        t.replicate,
        t.variant,
        t.implementation,
        t.device AS ran_on,
        t.dtype,
        m.device,
        min(t.trial) AS first_trial,
        max(m.value) AS added_bytes
    FROM measures m
    JOIN trials t ON t.run_id = m.run_id AND t.trial = m.trial
    WHERE m.run_id = $run AND t.run_id = $run AND m.name = 'peak_added_bytes'
    GROUP BY
        t.workload, t.case_name, t.cache, t.replicate, t.variant, t.implementation, t.device, t.dtype, m.device
),
baselines AS (
    SELECT * FROM peaks WHERE variant = $baseline OR implementation = $baseline
),
beside AS (
    SELECT
        p.workload,
        p.case_name,
        p.cache,
        p.replicate,
        p.variant,
        p.device,
        p.first_trial,
        p.added_bytes,
        b.variant AS baseline,
        b.added_bytes AS baseline_added_bytes,
        p.added_bytes / nullif(b.added_bytes, 0) AS ratio,
        CASE WHEN b.ran_on = p.ran_on THEN 0 ELSE 2 END + CASE WHEN b.dtype = p.dtype THEN 0 ELSE 1 END AS apart
    FROM peaks p
    LEFT JOIN baselines b
        ON b.workload = p.workload
        AND b.case_name = p.case_name
        AND b.cache = p.cache
        AND b.replicate = p.replicate
        AND b.device IS NOT DISTINCT FROM p.device
),
nearest AS (
    SELECT
        *,
        min(apart) OVER (PARTITION BY workload, case_name, cache, replicate, variant, device) AS least_apart
    FROM beside
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    device,
    count(*) AS replicates,
    median(added_bytes) AS added_bytes,
    min(added_bytes) AS lowest_bytes,
    max(added_bytes) AS highest_bytes,
    baseline,
    median(baseline_added_bytes) AS baseline_added_bytes,
    replicate_median(ratio, replicate) AS ratio,
    replicate_low(ratio, replicate) AS ratio_low,
    replicate_high(ratio, replicate) AS ratio_high,
    replicate_reason(ratio, replicate) AS reason
FROM nearest
WHERE apart = least_apart
GROUP BY workload, case_name, cache, variant, device, baseline
ORDER BY min(first_trial), device, baseline
