-- title: The matrix of models and techniques: each cell beside its model as it is, or why there is none
-- param suite text = matrix: the suite of the runs: matrix, or matrix-quick
-- param baseline text = plain,decoder,encoder,kv-cache: the implementations that are a model as it is
-- param least_speedup number = 1.2: the speedup from which on a win may be claimed
-- param less_memory number = 0.15: memory of weights and cache saved from which on it counts, as a share
-- param less_quality number = 0.01: perplexity or wrong words more, or accuracy less, up to which quality is kept, as a share
--
-- A cell is the newest run of the suite in which a technique was measured on a case, or said why it cannot be: the model
-- is the first word of the label. Cells are measured, not applicable (the technique does not suit the model), not here
-- (nobody decodes it on this machine) or does not fit (there is no room for so many layers), or say what became of them
-- (failed, wrong, invalid); why says the rest, as the layer from which on a model has no numbers. Speedup,
-- interval and verdict are those of the view verdicts: paired block by block, adjusted within their run. A matrix has
-- many runs: matrix_q is adjusted for all of its cells (Benjamini-Hochberg), and helps calls a technique faster or
-- slower only at 5 % of that. A win is judged on the lower bound of the 95 % interval. memory_ratio is weights and cache
-- over the model's. kl_divergence (nats a token, beside the model as it is) and agreement (of the best token) are of one
-- text. optimization is what people call the technique (the view optimizations). Where weights are seeded, divergence and
-- agreement say nothing of quality. Where they are real, quality is kept if the whole 95 % interval of the ratio of
-- perplexities, or of the difference of accuracies or of word error rates, lies on this side of the limit, lost if it lies
-- beyond equality, and undecided otherwise: also where no item differs, since few items say little. What keeps no cache, as an
-- encoder, has the memory of its weights; positions_kept is the share of its positions that goes through all blocks to their
-- end. energy_ratio is what a call took of the processors' energy (RAPL: whole packages, with what idles) over that of the
-- model, in joules of a typical process each; energy says why there is none. time_ns is that of a call (of a text, or of all
-- that a real model is held against), beside baseline_ns of the model as it is. formats_tried is how many formats a search
-- has tried, values_read the share of values of attention that queries read where small ones are left out, and guesses_kept
-- that of the guesses that the whole model has kept. part says how much of the model it is; heading is its name where all of
-- its cells are of one case, or else that of the case: cells of other sizes, or of a file that has changed meanwhile, are cells
-- of their own.
WITH newest AS (
    SELECT * FROM matrix_cells
    WHERE suite = CAST($suite AS VARCHAR)
        AND age = 1
        AND strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || implementation || ',') = 0
),
metrics AS (
    SELECT
        t.run_id,
        t.case_name,
        t.variant,
        median(CASE WHEN m.name = 'weight_bytes' THEN m.value END) AS weight_bytes,
        median(CASE WHEN m.name = 'cache_bytes' THEN m.value END) AS cache_bytes,
        median(CASE WHEN m.name = 'peak_added_bytes' THEN m.value END) AS peak_added_bytes,
        median(CASE WHEN m.name = 'own_flops' THEN m.value END) AS own_flops,
        median(CASE WHEN m.name = 'sparsity' THEN m.value END) AS sparsity,
        median(CASE WHEN m.name = 'capacity_kept' THEN m.value END) AS capacity_kept,
        median(CASE WHEN m.name = 'token_depth' THEN m.value END) AS token_depth,
        median(CASE WHEN m.name = 'values_read' THEN m.value END) AS values_read,
        median(CASE WHEN m.name = 'guesses_kept' THEN m.value END) AS guesses_kept,
        median(CASE WHEN m.name = 'layer_bits' THEN m.value END) AS layer_bits,
        median(CASE WHEN m.name = 'formats_tried' THEN m.value END) AS formats_tried,
        median(CASE WHEN m.name = 'kl_divergence' THEN m.value END) AS kl_divergence,
        max(CASE WHEN m.name = 'kl_divergence_high' THEN m.value END) AS kl_high,
        median(CASE WHEN m.name = 'top1_agreement' THEN m.value END) AS agreement,
        min(CASE WHEN m.name = 'top1_agreement_low' THEN m.value END) AS agreement_low,
        median(CASE WHEN m.name = 'perplexity' THEN m.value END) AS perplexity,
        median(CASE WHEN m.name = 'perplexity_ratio' THEN m.value END) AS perplexity_ratio,
        median(CASE WHEN m.name = 'perplexity_ratio_low' THEN m.value END) AS perplexity_ratio_low,
        median(CASE WHEN m.name = 'perplexity_ratio_high' THEN m.value END) AS perplexity_ratio_high,
        median(CASE WHEN m.name = 'accuracy' THEN m.value END) AS accuracy,
        median(CASE WHEN m.name = 'accuracy_difference' THEN m.value END) AS accuracy_difference,
        median(CASE WHEN m.name = 'accuracy_difference_low' THEN m.value END) AS accuracy_difference_low,
        median(CASE WHEN m.name = 'accuracy_difference_high' THEN m.value END) AS accuracy_difference_high,
        median(CASE WHEN m.name = 'word_error_rate' THEN m.value END) AS word_error_rate,
        median(CASE WHEN m.name = 'word_error_difference' THEN m.value END) AS word_error_difference,
        median(CASE WHEN m.name = 'word_error_difference_low' THEN m.value END) AS word_error_difference_low,
        median(CASE WHEN m.name = 'word_error_difference_high' THEN m.value END) AS word_error_difference_high,
        median(CASE WHEN m.name = 'positions_kept' THEN m.value END) AS positions_kept,
        median(CASE WHEN m.name = 'pearson' THEN m.value END) AS pearson,
        median(CASE WHEN m.name = 'cosine_to_f32' THEN m.value END) AS cosine_to_f32
    FROM trials t
    JOIN runs r ON r.run_id = t.run_id
    JOIN measures m ON m.run_id = t.run_id AND m.trial = t.trial
    WHERE r.suite = CAST($suite AS VARCHAR) AND m.sample IS NULL
    GROUP BY t.run_id, t.case_name, t.variant
),
speeds AS (
    SELECT
        run_id,
        case_name,
        variant,
        replicate_median(CASE WHEN metric = 'tokens_per_second' THEN value END, replicate) AS tokens_per_second,
        replicate_median(CASE WHEN metric = 'time_to_first_token' THEN value END, replicate) AS first_token_ns,
        replicate_median(CASE WHEN metric = 'cpu_energy_joules' THEN value END, replicate) AS energy_joules
    FROM metric_values
    WHERE lost IS NULL AND metric IN ('tokens_per_second', 'time_to_first_token', 'cpu_energy_joules')
    GROUP BY run_id, case_name, variant
),
sizes AS (
    SELECT
        t.run_id,
        t.case_name,
        CAST(max(param(t.params, 'layers')) AS BIGINT) AS layers,
        CAST(max(param(t.params, 'of_layers')) AS BIGINT) AS of_layers,
        CAST(max(param(t.params, 'experts')) AS BIGINT) AS experts,
        CAST(max(param(t.params, 'of_experts')) AS BIGINT) AS of_experts
    FROM trials t
    JOIN runs r ON r.run_id = t.run_id
    WHERE r.suite = CAST($suite AS VARCHAR)
    GROUP BY t.run_id, t.case_name
),
energy AS (
    SELECT run_id, min(message) AS why FROM events WHERE kind = 'energy' GROUP BY run_id
),
judged AS (
    SELECT v.*
    FROM verdicts v
    JOIN runs r ON r.run_id = v.run_id
    WHERE r.suite = CAST($suite AS VARCHAR)
        AND strpos(',' || CAST($baseline AS VARCHAR) || ',', ',' || v.baseline_implementation || ',') > 0
        AND v.nearest
),
beside AS (
    SELECT
        n.run_id,
        split_part(n.case_name, ' ', 1) AS model,
        n.case_name,
        n.implementation AS technique,
        n.variant AS candidate,
        j.baseline,
        n.first_trial,
        n.started_at,
        CASE
            WHEN n.well > 0 THEN 'measured'
            WHEN n.lost = 'unsupported' AND starts_with(n.told, 'not applicable') THEN 'not applicable'
            WHEN n.lost = 'unsupported' AND starts_with(n.told, 'does not fit') THEN 'does not fit'
            WHEN n.lost = 'unsupported' THEN 'not here'
            WHEN strpos(n.told, 'its numbers are none') > 0 THEN 'wrong'
            ELSE n.lost
        END AS cell,
        CASE
            WHEN n.well > 0 THEN NULL
            WHEN n.lost = 'unsupported' AND strpos(n.told, ': ') > 0 THEN substr(n.told, strpos(n.told, ': ') + 2)
            ELSE n.told
        END AS why,
        j.speedup,
        j.low,
        j.high,
        j.verdict,
        j.said,
        j.reason,
        j.scope,
        j.replicates,
        j.minimum_detectable_effect,
        j.p_value,
        j.candidate_ns AS time_ns,
        j.baseline_ns,
        s.tokens_per_second,
        b.tokens_per_second AS baseline_tokens_per_second,
        s.first_token_ns,
        b.first_token_ns AS baseline_first_token_ns,
        s.energy_joules,
        b.energy_joules AS baseline_energy_joules,
        s.energy_joules / nullif(b.energy_joules, 0) AS energy_ratio,
        CASE
            WHEN n.well = 0 THEN NULL
            WHEN s.energy_joules IS NOT NULL THEN 'read'
            ELSE 'not here: ' || coalesce(e.why, 'it was measured before energy was read')
        END AS energy,
        m.weight_bytes,
        p.weight_bytes AS baseline_weight_bytes,
        m.cache_bytes,
        p.cache_bytes AS baseline_cache_bytes,
        (m.weight_bytes + coalesce(m.cache_bytes, 0)) / nullif(p.weight_bytes + coalesce(p.cache_bytes, 0), 0) AS memory_ratio,
        m.peak_added_bytes,
        1 - m.own_flops / nullif(n.flops, 0) AS flops_saved,
        m.sparsity,
        m.capacity_kept,
        m.token_depth,
        m.values_read,
        m.guesses_kept,
        m.layer_bits,
        m.formats_tried,
        m.kl_divergence,
        m.kl_high,
        m.agreement,
        m.agreement_low,
        m.perplexity,
        m.perplexity_ratio,
        m.perplexity_ratio_low,
        m.perplexity_ratio_high,
        m.accuracy,
        m.accuracy_difference,
        m.accuracy_difference_low,
        m.accuracy_difference_high,
        m.word_error_rate,
        m.word_error_difference,
        m.word_error_difference_low,
        m.word_error_difference_high,
        m.positions_kept,
        m.pearson,
        m.cosine_to_f32,
        z.layers,
        z.of_layers,
        z.experts,
        z.of_experts
    FROM newest n
    LEFT JOIN judged j ON j.run_id = n.run_id AND j.case_name = n.case_name AND j.candidate = n.variant
    LEFT JOIN metrics m ON m.run_id = n.run_id AND m.case_name = n.case_name AND m.variant = n.variant
    LEFT JOIN metrics p ON p.run_id = n.run_id AND p.case_name = n.case_name AND p.variant = j.baseline
    LEFT JOIN speeds s ON s.run_id = n.run_id AND s.case_name = n.case_name AND s.variant = n.variant
    LEFT JOIN speeds b ON b.run_id = n.run_id AND b.case_name = n.case_name AND b.variant = j.baseline
    LEFT JOIN sizes z ON z.run_id = n.run_id AND z.case_name = n.case_name
    LEFT JOIN energy e ON e.run_id = n.run_id
),
adjusted AS (
    SELECT *, q_value(p_value) OVER () AS matrix_q FROM beside
),
named AS (
    SELECT technique, CAST(string_agg(optimization, ', ' ORDER BY place) AS VARCHAR) AS optimization
    FROM optimizations
    WHERE technique IS NOT NULL
    GROUP BY technique
),
told AS (
    SELECT
        b.*,
        o.optimization,
        coalesce(b.verdict = 'faster' AND b.low >= CAST($least_speedup AS DOUBLE) AND b.matrix_q <= 0.05, false) AS wins,
        coalesce(b.verdict = 'slower' AND b.matrix_q <= 0.05, false) AS loses,
        coalesce(b.memory_ratio <= 1 - CAST($less_memory AS DOUBLE), false) AS smaller,
        CASE
            WHEN b.perplexity_ratio_high <= 1 + CAST($less_quality AS DOUBLE) THEN 'kept'
            WHEN b.accuracy_difference_low >= -CAST($less_quality AS DOUBLE) THEN 'kept'
            WHEN b.word_error_difference_high <= CAST($less_quality AS DOUBLE) THEN 'kept'
            WHEN b.perplexity_ratio_low > 1 OR b.accuracy_difference_high < 0 OR b.word_error_difference_low > 0 THEN 'lost'
            WHEN coalesce(b.perplexity_ratio, b.accuracy_difference, b.word_error_difference) IS NOT NULL THEN 'undecided'
        END AS quality,
        CASE WHEN strpos(b.case_name, ' seeded ') > 0 THEN 'seeded' ELSE 'real' END AS weights
    FROM adjusted b
    LEFT JOIN named o ON o.technique = b.technique
),
headed AS (
    SELECT
        *,
        CASE
            WHEN cell <> 'measured' THEN NULL
            WHEN weights = 'real' THEN 'all of it, real weights'
            WHEN layers IS NULL OR of_layers IS NULL THEN NULL
            ELSE concat(
                layers, ' of ', of_layers, ' layers',
                CASE WHEN experts < of_experts THEN concat(', ', experts, ' of ', of_experts, ' experts') END,
                ', seeded weights'
            )
        END AS part,
        CASE
            WHEN weights = 'real' THEN case_name
            WHEN min(case_name) OVER (PARTITION BY model, weights) <> max(case_name) OVER (PARTITION BY model, weights)
            THEN case_name
            ELSE model
        END AS heading
    FROM told
)
SELECT
    model,
    technique,
    optimization,
    cell,
    CASE
        WHEN cell <> 'measured' THEN NULL
        WHEN wins AND smaller THEN 'faster and smaller'
        WHEN wins THEN 'faster'
        WHEN loses AND smaller THEN 'smaller, but slower'
        WHEN smaller THEN 'smaller'
        WHEN loses THEN 'slower'
        ELSE 'no gain to claim'
    END AS helps,
    quality,
    weights,
    part,
    speedup,
    low,
    high,
    said,
    memory_ratio,
    flops_saved,
    sparsity,
    capacity_kept,
    kl_divergence,
    agreement,
    perplexity_ratio,
    accuracy_difference,
    energy_ratio,
    energy,
    word_error_difference,
    positions_kept,
    why,
    verdict,
    reason,
    matrix_q,
    minimum_detectable_effect,
    scope,
    replicates,
    time_ns,
    baseline_ns,
    tokens_per_second,
    baseline_tokens_per_second,
    first_token_ns,
    baseline_first_token_ns,
    weight_bytes,
    baseline_weight_bytes,
    cache_bytes,
    baseline_cache_bytes,
    energy_joules,
    baseline_energy_joules,
    peak_added_bytes,
    token_depth,
    values_read,
    guesses_kept,
    layer_bits,
    formats_tried,
    kl_high,
    agreement_low,
    perplexity,
    perplexity_ratio_low,
    perplexity_ratio_high,
    accuracy,
    accuracy_difference_low,
    accuracy_difference_high,
    word_error_rate,
    word_error_difference_low,
    word_error_difference_high,
    pearson,
    cosine_to_f32,
    case_name,
    heading,
    baseline,
    candidate,
    run_id
FROM headed
ORDER BY model, case_name, started_at, first_trial
