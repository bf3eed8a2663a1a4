-- title: How near every variant of a run comes to the machine's roofs, and which of them holds it
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- Roofs are measured: `fma` for arithmetic in f32, `copy` for memory (bytes read and written), each
-- from the latest run of the store on the same machine with as many threads; null where there is
-- none. A case takes at least roof_ns: its operations at the one rate or its bytes at the other,
-- whichever is longer (Williams et al., Roofline, CACM 52(4), 2009). Data that stay in the caches
-- can be read faster than memory allows.
WITH rates AS (
    SELECT
        run_id,
        started_at,
        workload,
        threads,
        case_name,
        variant,
        max(flops) / order_summary(time_ns)['median'] AS gflops,
        max(bytes) / order_summary(time_ns)['median'] AS gb_s
    FROM results
    WHERE valid AND workload IN ('fma', 'copy')
    GROUP BY run_id, started_at, workload, threads, case_name, variant
),
roofs AS (
    SELECT
        u.hostname_hash,
        u.cpu_model,
        r.threads,
        r.workload,
        -- The slowest copy: a small one stays in the caches.
        CASE r.workload WHEN 'fma' THEN max(r.gflops) ELSE min(r.gb_s) END AS rate,
        row_number() OVER (
            PARTITION BY u.hostname_hash, u.cpu_model, r.threads, r.workload ORDER BY r.started_at DESC
        ) AS age
    FROM rates r
    JOIN runs u ON u.run_id = r.run_id
    GROUP BY r.run_id, r.started_at, u.hostname_hash, u.cpu_model, r.threads, r.workload
),
machines AS (
    SELECT
        hostname_hash,
        cpu_model,
        threads,
        max(rate) FILTER (WHERE workload = 'fma') AS peak_gflops,
        max(rate) FILTER (WHERE workload = 'copy') AS copy_gb_s
    FROM roofs
    WHERE age = 1
    GROUP BY hostname_hash, cpu_model, threads
),
measured AS (
    SELECT
        r.workload,
        r.case_name,
        r.cache,
        r.variant,
        r.threads,
        u.hostname_hash,
        u.cpu_model,
        max(r.flops) AS flops,
        max(r.bytes) AS bytes,
        order_summary(r.time_ns)['median'] AS median_ns
    FROM results r
    JOIN runs u ON u.run_id = r.run_id
    WHERE r.run_id = $run AND u.run_id = $run AND r.valid
    GROUP BY r.workload, r.case_name, r.cache, r.variant, r.threads, u.hostname_hash, u.cpu_model
),
beside AS (
    SELECT
        m.workload,
        m.case_name,
        m.cache,
        m.variant,
        m.flops,
        m.bytes,
        m.median_ns,
        k.peak_gflops,
        k.copy_gb_s,
        m.flops / k.peak_gflops AS arithmetic_ns,
        m.bytes / k.copy_gb_s AS memory_ns
    FROM measured m
    LEFT JOIN machines k
        ON k.threads = m.threads
        AND (k.hostname_hash IS NOT DISTINCT FROM m.hostname_hash)
        AND (k.cpu_model IS NOT DISTINCT FROM m.cpu_model)
),
held AS (
    SELECT
        *,
        CASE WHEN arithmetic_ns >= memory_ns THEN 'arithmetic' WHEN arithmetic_ns < memory_ns THEN 'memory' END AS roof,
        CASE WHEN arithmetic_ns >= memory_ns THEN arithmetic_ns WHEN arithmetic_ns < memory_ns THEN memory_ns END AS roof_ns
    FROM beside
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
    flops / median_ns AS gflops,
    bytes / median_ns AS gb_s,
    flops / nullif(bytes, 0) AS flops_a_byte,
    peak_gflops,
    copy_gb_s
FROM held
ORDER BY workload, case_name, cache, of_the_roof DESC, variant
