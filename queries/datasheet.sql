-- title: How near every variant of a run comes to the peaks that the maker of its chip publishes
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- A peak of a datasheet is what no kernel may reach; the query `roofline` has those that were measured on the machine. Peaks of
-- arithmetic are of dense products at the boost clock, in f32 without TF32, and half of what a datasheet says of sparse ones.
-- Bandwidth is that of the chip's memory, of one socket where there are several: what stays in a cache may exceed it. A trial
-- ran on a GPU where it tells of its memory (gpu_peak_bytes), or on TensorRT, and on the processor otherwise. A variant that does
-- other work than its case counts is held to its own (the metrics own_flops and own_bytes). Where a share is NULL, the reason
-- says why.
WITH datasheets AS (
    SELECT * FROM (
        VALUES
            -- Tera operations a second in f64, f32 and both dtypes of 16 bits; 10^9 bytes a second.
            ('NVIDIA H200', 67.0, 67.0, 989.5, 4800.0, 'NVIDIA H200 Tensor Core GPU, datasheet (SXM)'),
            ('NVIDIA H100 80GB HBM3', 67.0, 67.0, 989.5, 3350.0, 'NVIDIA H100 Tensor Core GPU, datasheet (SXM)'),
            ('NVIDIA H100 PCIe', 51.0, 51.0, 756.5, 2000.0, 'NVIDIA H100 Tensor Core GPU, datasheet (PCIe)'),
            ('NVIDIA A100-SXM4-80GB', 19.5, 19.5, 312.0, 2039.0, 'NVIDIA A100 Tensor Core GPU, datasheet (80 GB SXM)'),
            ('NVIDIA A100-SXM4-40GB', 19.5, 19.5, 312.0, 1555.0, 'NVIDIA A100 Tensor Core GPU, datasheet (40 GB SXM)'),
            ('NVIDIA A100 80GB PCIe', 19.5, 19.5, 312.0, 1935.0, 'NVIDIA A100 Tensor Core GPU, datasheet (80 GB PCIe)'),
            ('NVIDIA A100-PCIE-40GB', 19.5, 19.5, 312.0, 1555.0, 'NVIDIA A100 Tensor Core GPU, datasheet (40 GB PCIe)'),
            ('NVIDIA GeForce RTX 4090', NULL, 82.6, 165.2, 1008.0, 'NVIDIA Ada GPU Architecture, whitepaper (f32 sums)'),
            ('AMD EPYC 7742 64-Core Processor', NULL, NULL, NULL, 204.8, 'AMD EPYC 7742, specifications'),
            ('AMD EPYC 7763 64-Core Processor', NULL, NULL, NULL, 204.8, 'AMD EPYC 7763, specifications'),
            ('AMD EPYC 9554 64-Core Processor', NULL, NULL, NULL, 460.8, 'AMD EPYC 9554, specifications'),
            ('AMD EPYC 9654 96-Core Processor', NULL, NULL, NULL, 460.8, 'AMD EPYC 9654, specifications'),
            ('12th Gen Intel(R) Core(TM) i7-12700K', NULL, NULL, NULL, 76.8, 'Intel Core i7-12700K, specifications'),
            ('13th Gen Intel(R) Core(TM) i9-13900K', NULL, NULL, NULL, 89.6, 'Intel Core i9-13900K, specifications')
    ) AS d(chip, f64_tflops, f32_tflops, half_tflops, memory_gb_s, source)
),
gpus AS (
    SELECT min(gpu['name']) AS gpu, count(DISTINCT gpu['name']) AS kinds
    FROM (SELECT unnest(devices) AS gpu FROM runs WHERE run_id = $run)
),
counted AS (
    SELECT
        trial,
        max(value) FILTER (WHERE name = 'own_flops') AS own_flops,
        max(value) FILTER (WHERE name = 'own_bytes') AS own_bytes,
        max(value) FILTER (WHERE name = 'gpu_peak_bytes') AS gpu_peak_bytes
    FROM measures
    WHERE run_id = $run AND name IN ('own_flops', 'own_bytes', 'gpu_peak_bytes')
    GROUP BY trial
),
timed AS (
    SELECT
        r.workload,
        r.case_name,
        r.cache,
        r.variant,
        r.dtype,
        min(r.trial) AS first_trial,
        max(CASE WHEN e.gpu_peak_bytes IS NOT NULL OR r.device = 'tensorrt' THEN 1 ELSE 0 END) AS on_gpu,
        max(coalesce(e.own_flops, r.flops)) AS flops,
        max(coalesce(e.own_bytes, r.bytes)) AS bytes,
        replicate_median(r.time_ns, r.replicate) AS median_ns
    FROM results r
    LEFT JOIN counted e ON e.trial = r.trial
    WHERE r.run_id = $run AND r.valid
    GROUP BY r.workload, r.case_name, r.cache, r.variant, r.dtype
),
placed AS (
    SELECT
        t.*,
        g.kinds,
        CASE WHEN t.on_gpu = 0 THEN u.cpu_model WHEN g.kinds = 1 THEN g.gpu END AS chip
    FROM timed t
    CROSS JOIN gpus g
    CROSS JOIN (SELECT cpu_model FROM runs WHERE run_id = $run) AS u
),
beside AS (
    SELECT
        p.*,
        1000 * CASE p.dtype
            WHEN 'f64' THEN d.f64_tflops
            WHEN 'f32' THEN d.f32_tflops
            WHEN 'f16' THEN d.half_tflops
            WHEN 'bf16' THEN d.half_tflops
        END AS published_gflops,
        d.memory_gb_s AS published_gb_s,
        d.source
    FROM placed p
    LEFT JOIN datasheets d ON d.chip = p.chip
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    chip,
    median_ns,
    flops / median_ns AS gflops,
    published_gflops,
    flops / median_ns / published_gflops AS of_published_flops,
    bytes / median_ns AS gb_s,
    published_gb_s,
    bytes / median_ns / published_gb_s AS of_published_bandwidth,
    source,
    CASE
        WHEN chip IS NULL AND on_gpu = 0 THEN 'the run does not name its processor'
        WHEN chip IS NULL AND kinds > 1 THEN 'the machine has GPUs of several kinds'
        WHEN chip IS NULL THEN 'the run does not name its GPU'
        WHEN source IS NULL THEN concat('no datasheet of ', chip, ' is known here')
        WHEN published_gflops IS NULL THEN concat('its datasheet has no peak of arithmetic in ', dtype)
    END AS reason
FROM beside
ORDER BY first_trial, of_published_flops DESC, variant
