-- title: How near every variant of a run comes to the machine's roofs, and which of them holds it
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- Roofs are measured, each in the latest run of the store on the same machine with as many threads, and null where
-- there is none: `fma` for arithmetic in f32, `read` (or `copy`, bytes read and written, where that is faster) for
-- memory, in the working set whose size is nearest to the case's bytes by ratio, `exp2` for exponentials in f32, where
-- the metric of this name says how many a case takes, `int8-dot` for operations on bytes. A roof is the highest rate
-- that was seen, its best sample; roof_spread is how far its median lies below. A case takes at least roof_ns: its
-- operations, its bytes or its exponentials at their rates, whichever is longest (Williams et al., Roofline, CACM 52(4),
-- 2009). A variant that does other work than its case counts, such as one with weights of fewer bits, is held to its own
-- where it tells: the metrics `own_flops`, `own_bytes` and `int8_ops`. What exceeds a roof by more than roof_spread shows
-- that the roof is wrong.
WITH roofs AS (
    SELECT
        u.hostname_hash,
        u.cpu_model,
        r.threads,
        r.workload AS roof,
        max(r.bytes) AS bytes,
        max(r.flops) / min(r.time_ns) AS gflops,
        max(r.bytes) / min(r.time_ns) AS gb_s,
        1 - min(r.time_ns) / order_summary(r.time_ns)['median'] AS spread,
        dense_rank() OVER (
            PARTITION BY u.hostname_hash, u.cpu_model, r.threads, r.workload ORDER BY r.started_at DESC, r.run_id
        ) AS age
    FROM results r
    JOIN runs u ON u.run_id = r.run_id
    WHERE r.valid AND r.workload IN ('fma', 'read', 'copy', 'exp2', 'int8-dot')
    GROUP BY u.hostname_hash, u.cpu_model, r.threads, r.workload, r.started_at, r.run_id, r.case_name, r.variant
),
counted AS (
    SELECT
        trial,
        max(value) FILTER (WHERE name = 'exponentials') AS exponentials,
        max(value) FILTER (WHERE name = 'int8_ops') AS int8_ops,
        max(value) FILTER (WHERE name = 'own_flops') AS own_flops,
        max(value) FILTER (WHERE name = 'own_bytes') AS own_bytes
    FROM measures
    WHERE run_id = $run AND name IN ('exponentials', 'int8_ops', 'own_flops', 'own_bytes')
    GROUP BY trial
),
measured AS (
    SELECT
        r.workload,
        r.case_name,
        r.cache,
        r.variant,
        r.dtype,
        r.threads,
        u.hostname_hash,
        u.cpu_model,
        max(coalesce(e.own_flops, r.flops)) AS flops,
        max(coalesce(e.own_bytes, r.bytes)) AS bytes,
        max(e.exponentials) AS exponentials,
        max(e.int8_ops) AS int8_ops,
        replicate_median(r.time_ns, r.replicate) AS median_ns
    FROM results r
    JOIN runs u ON u.run_id = r.run_id
    LEFT JOIN counted e ON e.trial = r.trial
    WHERE r.run_id = $run AND u.run_id = $run AND r.valid
    GROUP BY r.workload, r.case_name, r.cache, r.variant, r.dtype, r.threads, u.hostname_hash, u.cpu_model
),
beside AS (
    SELECT
        m.*,
        k.roof,
        k.bytes AS roof_bytes,
        k.gflops AS roof_gflops,
        k.gb_s AS roof_gb_s,
        k.spread,
        CASE WHEN k.roof IN ('read', 'copy') THEN abs(ln(m.bytes / k.bytes)) END AS distance
    FROM measured m
    LEFT JOIN roofs k
        ON k.age = 1
        AND k.threads = m.threads
        AND (k.hostname_hash IS NOT DISTINCT FROM m.hostname_hash)
        AND (k.cpu_model IS NOT DISTINCT FROM m.cpu_model)
        AND (k.roof IN ('read', 'copy') OR m.dtype = 'f32')
),
nearest AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        flops,
        bytes,
        exponentials,
        int8_ops,
        median_ns,
        roof,
        max(roof_gflops) AS gflops,
        first_value(roof_gb_s ORDER BY distance, roof_gb_s DESC) AS gb_s,
        first_value(roof_bytes ORDER BY distance, roof_gb_s DESC) AS roof_bytes,
        first_value(spread ORDER BY distance, roof_gflops DESC, roof_gb_s DESC) AS spread
    FROM beside
    GROUP BY workload, case_name, cache, variant, flops, bytes, exponentials, int8_ops, median_ns, roof
),
both_roofs AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        flops,
        bytes,
        exponentials,
        int8_ops,
        median_ns,
        max(gflops) FILTER (WHERE roof = 'fma') AS peak_gflops,
        max(spread) FILTER (WHERE roof = 'fma') AS peak_spread,
        max(gb_s) FILTER (WHERE roof IN ('read', 'copy')) AS memory_gb_s,
        first_value(spread ORDER BY gb_s DESC) FILTER (WHERE roof IN ('read', 'copy')) AS memory_spread,
        first_value(roof_bytes ORDER BY gb_s DESC) FILTER (WHERE roof IN ('read', 'copy')) AS memory_bytes,
        max(gflops) FILTER (WHERE roof = 'exp2') AS peak_gexp_s,
        max(spread) FILTER (WHERE roof = 'exp2') AS exp_spread,
        max(gflops) FILTER (WHERE roof = 'int8-dot') AS peak_int8_gops,
        max(spread) FILTER (WHERE roof = 'int8-dot') AS int8_spread
    FROM nearest
    GROUP BY workload, case_name, cache, variant, flops, bytes, exponentials, int8_ops, median_ns
),
least AS (
    SELECT
        *,
        flops / peak_gflops AS arithmetic_ns,
        bytes / memory_gb_s AS memory_ns,
        coalesce(exponentials / peak_gexp_s, 0) AS exponentials_ns,
        -- Without a roof, nothing is known of who makes most of its operations on bytes.
        CASE WHEN int8_ops > 0 THEN int8_ops / peak_int8_gops ELSE 0 END AS int8_ns
    FROM both_roofs
),
held AS (
    SELECT
        *,
        CASE
            WHEN int8_ns > arithmetic_ns AND int8_ns > memory_ns AND int8_ns > exponentials_ns THEN 'int8'
            WHEN exponentials_ns > arithmetic_ns AND exponentials_ns > memory_ns THEN 'exponentials'
            WHEN int8_ns IS NOT NULL AND arithmetic_ns >= memory_ns THEN 'arithmetic'
            WHEN int8_ns IS NOT NULL AND arithmetic_ns < memory_ns THEN 'memory'
        END AS roof
    FROM least
),
timed AS (
    SELECT
        *,
        CASE roof
            WHEN 'exponentials' THEN exponentials_ns
            WHEN 'arithmetic' THEN arithmetic_ns
            WHEN 'memory' THEN memory_ns
            WHEN 'int8' THEN int8_ns
        END AS roof_ns,
        CASE roof
            WHEN 'exponentials' THEN exp_spread
            WHEN 'arithmetic' THEN peak_spread
            WHEN 'memory' THEN memory_spread
            WHEN 'int8' THEN int8_spread
        END AS roof_spread
    FROM held
),
places AS (
    SELECT workload, case_name, cache, min(trial) AS first_trial
    FROM trials
    WHERE run_id = $run
    GROUP BY workload, case_name, cache
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    median_ns,
    roof_ns / median_ns AS of_the_roof,
    roof,
    roof_ns,
    roof_spread,
    flops / median_ns AS gflops,
    bytes / median_ns AS gb_s,
    (flops + coalesce(int8_ops, 0)) / nullif(bytes, 0) AS flops_a_byte,
    peak_gflops,
    memory_gb_s,
    memory_bytes,
    exponentials / median_ns AS gexp_s,
    peak_gexp_s,
    int8_ops / median_ns AS int8_gops,
    peak_int8_gops
FROM timed
JOIN places USING (workload, case_name, cache)
ORDER BY first_trial, of_the_roof DESC, variant
