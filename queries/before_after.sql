-- title: A model before and after a technique, side by side: time, tokens, memory, operations, and how near its answers stay
-- param model text = %: models, by the first word of their label; `%` for any part
-- param technique text = %: techniques, in the same way
-- param suite text = matrix: the suite of the runs: matrix, or matrix-quick
-- param baseline text = plain,decoder,encoder,kv-cache: the implementations that are a model as it is
--
-- A row for each metric of a cell, of the newest run of the suite in which both were measured. Times are those of the
-- view verdicts, all others of metric_verdicts; a ratio above 1 is better after, with its interval (95 %). What has no
-- better side, or no value before, has no ratio: a KL divergence is of the model after beside the model before.
WITH newest AS (
    SELECT * FROM matrix_cells
    WHERE suite = CAST($suite AS VARCHAR)
        AND age = 1
        AND well > 0
        AND strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || implementation || ',') = 0
        AND implementation LIKE CAST($technique AS VARCHAR)
        AND split_part(case_name, ' ', 1) LIKE CAST($model AS VARCHAR)
),
alone AS (
    SELECT
        n.run_id,
        n.case_name,
        n.variant,
        v.metric,
        max(v.unit) AS unit,
        coalesce(replicate_median(v.value, v.replicate), avg(v.value)) AS after,
        min(v.low) AS low,
        max(v.high) AS high
    FROM newest n
    JOIN metric_values v ON v.run_id = n.run_id AND v.case_name = n.case_name AND v.variant = n.variant
    WHERE v.lost IS NULL AND v.metric IN (
        'kl_divergence', 'top1_agreement', 'relative_error', 'sparsity', 'capacity_kept', 'layer_bits', 'layer_error',
        'formats_tried', 'search_ns', 'values_read', 'guesses_kept', 'perplexity', 'perplexity_ratio', 'accuracy',
        'accuracy_difference', 'word_error_rate', 'word_error_difference', 'bleu', 'bleu_difference', 'rouge_1', 'rouge_2',
        'rouge_l', 'positions_kept', 'pearson', 'cosine_to_f32'
    )
    GROUP BY n.run_id, n.case_name, n.variant, v.metric
),
rows_of AS (
    SELECT
        n.run_id,
        n.case_name,
        n.implementation AS technique,
        n.first_trial,
        0 AS place,
        'time' AS metric,
        'ns' AS unit,
        v.baseline_ns AS before,
        v.candidate_ns AS after,
        v.speedup AS ratio,
        v.low,
        v.high,
        v.said,
        v.reason
    FROM newest n
    JOIN verdicts v ON v.run_id = n.run_id AND v.case_name = n.case_name AND v.candidate = n.variant
    WHERE strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || v.baseline_implementation || ',') > 0 AND v.nearest
    UNION ALL
    SELECT
        n.run_id,
        n.case_name,
        n.implementation AS technique,
        n.first_trial,
        1 AS place,
        v.metric,
        v.unit,
        v.baseline_value AS before,
        v.candidate_value AS after,
        v.ratio,
        v.low,
        v.high,
        v.said,
        v.reason
    FROM newest n
    JOIN metric_verdicts v ON v.run_id = n.run_id AND v.case_name = n.case_name AND v.candidate = n.variant
    WHERE strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || v.baseline_implementation || ',') > 0
        AND v.nearest
        AND v.metric IN (
            'tokens_per_second', 'time_to_first_token', 'inter_token_latency', 'weight_bytes', 'cache_bytes',
            'peak_added_bytes', 'own_flops', 'token_depth', 'cpu_energy_joules'
        )
    UNION ALL
    SELECT
        n.run_id,
        n.case_name,
        n.implementation AS technique,
        n.first_trial,
        2 AS place,
        a.metric,
        a.unit,
        CAST(NULL AS DOUBLE) AS before,
        a.after,
        CAST(NULL AS DOUBLE) AS ratio,
        a.low,
        a.high,
        CAST(NULL AS VARCHAR) AS said,
        CAST(NULL AS VARCHAR) AS reason
    FROM newest n
    JOIN alone a ON a.run_id = n.run_id AND a.case_name = n.case_name AND a.variant = n.variant
)
SELECT
    run_id,
    split_part(case_name, ' ', 1) AS model,
    case_name,
    technique,
    metric,
    unit,
    before,
    after,
    ratio,
    low,
    high,
    said,
    reason
FROM rows_of
ORDER BY model, case_name, run_id, first_trial, place, metric
