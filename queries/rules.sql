-- title: The rules of a run: every candidate beside the baseline, then one overall verdict with its flags
-- param baseline variant = naive: the variant or implementation that counts as 1
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
-- param least_speedup number = 1.2: the speedup from which on a win may be claimed
-- param excellent number = 1.5: the category excellent lies above this speedup
-- param good number = 1.2: the category good begins at this speedup
-- param measured number = 1: the category measured begins at this speedup; below it stands investigate
-- param more_memory number = 0.05: memory beyond the baseline's that is allowed at equal speed, as a share
-- param less_memory number = 0.15: memory saved where it is promised, as a share
-- param memory_promised boolean = false: whether the candidates promise to save memory
-- param least_memory_bytes number = 1048576: added memory below which an allocator's own pages hide the kernel's
-- param most_error number = 1: largest scaled error, in tolerances of its check; above 1 changes nothing
-- param more_perplexity number = 0.01: perplexity beyond the baseline's that is no loss yet, as a share
-- param less_score number = 0.01: how much worse than the baseline's a score of a task is without a loss, as a share
-- param more_steps number = 0.05: steps to a threshold beyond the baseline's that are allowed, as a share
-- param unhealthy_steps number = 0: steps of training in which a gradient may explode, or vanish, as a share
--
-- passed is NULL where the data cannot say, or nothing was asked. A win is judged on the lower bound
-- of the 95 % interval, and on replicates in processes of their own; a regression is the verdict
-- slower of the view verdicts, below the category measured. Memory is what a kernel adds, over all
-- devices, and its ratio that of the view metric_verdicts: a rule is kept or broken where the whole 95 %
-- interval says so, over five processes or more; more of it is allowed where it buys speed.
-- Overall, no output may be wrong, the baseline's included, and nothing slower; the other flags are
-- listed and do not count. Its value is the number of wrong outputs and regressions.
WITH settings AS (
    SELECT
        CAST($least_speedup AS DOUBLE) AS least_speedup,
        CAST($excellent AS DOUBLE) AS excellent,
        CAST($good AS DOUBLE) AS good,
        CAST($measured AS DOUBLE) AS measured,
        CAST($more_memory AS DOUBLE) AS more_memory,
        CAST($less_memory AS DOUBLE) AS less_memory,
        CAST($memory_promised AS BOOLEAN) AS memory_promised,
        CAST($least_memory_bytes AS DOUBLE) AS least_memory_bytes,
        CAST($most_error AS DOUBLE) AS most_error,
        CAST($more_perplexity AS DOUBLE) AS more_perplexity,
        CAST($less_score AS DOUBLE) AS less_score,
        CAST($more_steps AS DOUBLE) AS more_steps,
        CAST($unhealthy_steps AS DOUBLE) AS unhealthy_steps
),
-- From trials, not from checks: what failed has none, but has to be told.
subjects AS (
    SELECT workload, case_name, cache, variant
    FROM trials
    WHERE run_id = $run
    GROUP BY workload, case_name, cache, variant
),
judged AS (
    SELECT
        run_id, workload, case_name, cache, baseline, candidate, first_trial, speedup, low, high, said, scope,
        -- What has nothing to compare is told as such, not as undecided.
        CASE WHEN speedup IS NOT NULL THEN verdict END AS verdict,
        CASE reason WHEN 'fdr' THEN 'may be chance' ELSE replace(reason, '-', ' ') END AS reason,
        -- A direction that is seen, and may be one of this suite or this machine alone.
        reason IN ('fdr', 'noisy-machine') AS doubtful,
        coalesce(scope = 'across-replicates', false) AS across
    FROM verdicts
    WHERE run_id = $run
        AND (baseline = $baseline OR baseline_implementation = $baseline)
        AND candidate_implementation <> $baseline
        AND (nearest OR baseline = $baseline)
),
memory AS (
    SELECT
        workload, case_name, cache, baseline, candidate, ratio, low, high,
        baseline_value AS baseline_bytes,
        candidate_value AS candidate_bytes,
        -- What adds nothing has no logarithm, and so no interval.
        CASE
            WHEN baseline_value = 0 AND candidate_value > 0 THEN CAST('inf' AS DOUBLE)
            ELSE candidate_value / nullif(baseline_value, 0)
        END AS plain_ratio,
        replace(reason, '-', ' ') AS memory_reason
    FROM metric_verdicts
    WHERE run_id = $run AND metric = 'peak_added_bytes'
),
checked AS (
    SELECT
        t.workload, t.case_name, t.cache, t.variant,
        max(c.max_scaled_error) AS error,
        min(c.tolerance) AS tolerance,
        count(*) AS checks,
        sum(CASE WHEN c.passed AND c.max_scaled_error <= s.most_error * c.tolerance THEN 0 ELSE 1 END) AS wrong
    FROM checks c
    JOIN trials t ON t.run_id = c.run_id AND t.trial = c.trial
    CROSS JOIN settings s
    WHERE c.run_id = $run AND t.run_id = $run
    GROUP BY t.workload, t.case_name, t.cache, t.variant
),
facts AS (
    SELECT
        p.*,
        s.*,
        -- What the verdict is bound to, where that is less than processes started anew.
        CASE WHEN p.across OR p.scope IS NULL THEN '' ELSE ', ' || replace(p.scope, '-', ' ') || ' only' END AS bounds,
        m.baseline_bytes,
        m.candidate_bytes,
        coalesce(1 / m.ratio, m.candidate_bytes / nullif(m.baseline_bytes, 0)) AS memory_ratio,
        CASE WHEN m.ratio IS NOT NULL THEN 1 / m.high WHEN p.across THEN m.plain_ratio END AS memory_low,
        CASE WHEN m.ratio IS NOT NULL THEN 1 / m.low WHEN p.across THEN m.plain_ratio END AS memory_high,
        m.memory_reason,
        c.error, c.checks, c.wrong,
        c.tolerance * s.most_error AS most_scaled_error
    FROM judged p
    CROSS JOIN settings s
    LEFT JOIN memory m
        ON m.workload = p.workload AND m.case_name = p.case_name AND m.cache = p.cache
        AND m.baseline = p.baseline AND m.candidate = p.candidate
    LEFT JOIN checked c
        ON c.workload = p.workload AND c.case_name = p.case_name AND c.cache = p.cache AND c.variant = p.candidate
),
classed AS (
    SELECT
        *,
        CASE
            WHEN speedup > excellent THEN 'excellent'
            WHEN speedup >= good THEN 'good'
            WHEN speedup >= measured THEN 'measured'
            ELSE 'investigate'
        END AS category,
        CASE
            WHEN baseline_bytes IS NULL OR candidate_bytes IS NULL THEN 'not measured'
            WHEN greatest(baseline_bytes, candidate_bytes) < least_memory_bytes THEN 'too little to tell'
        END AS no_memory,
        CASE
            WHEN memory_ratio IS NULL THEN 'the baseline added none'
            WHEN memory_ratio <= 1
            THEN CAST(CAST(round(100 * (1 - memory_ratio)) AS BIGINT) AS VARCHAR) || ' % less'
            ELSE CAST(CAST(round(100 * (memory_ratio - 1)) AS BIGINT) AS VARCHAR) || ' % more'
        END AS memory_words
    FROM facts
),
rules AS (
    SELECT
        c.*,
        r.place,
        r.rule,
        CASE r.rule
            WHEN 'speedup' THEN low
            WHEN 'category' THEN speedup
            -- An output of the wrong shape, or with a NaN, has an infinite error.
            WHEN 'error' THEN CASE WHEN error < CAST('inf' AS DOUBLE) THEN error END
            WHEN 'memory' THEN memory_ratio - 1
            ELSE 1 - memory_ratio
        END AS value,
        CASE r.rule
            WHEN 'speedup' THEN least_speedup
            WHEN 'category' THEN measured
            WHEN 'error' THEN most_scaled_error
            WHEN 'memory' THEN more_memory
            ELSE less_memory
        END AS "limit",
        CASE
            WHEN r.rule IN ('speedup', 'category') AND low IS NULL THEN NULL
            WHEN r.rule = 'speedup' AND (low < least_speedup OR doubtful) THEN false
            WHEN r.rule = 'speedup' THEN CASE WHEN across THEN true END
            WHEN r.rule = 'category' AND verdict = 'slower' AND high < measured THEN false
            WHEN r.rule = 'category' THEN CASE WHEN across THEN true END
            WHEN r.rule = 'error' THEN wrong = 0
            WHEN no_memory IS NOT NULL THEN NULL
            WHEN r.rule = 'memory saved' AND NOT memory_promised THEN NULL
            WHEN r.rule = 'memory saved' AND memory_high <= 1 - less_memory THEN true
            WHEN r.rule = 'memory saved' THEN CASE WHEN memory_low > 1 - less_memory THEN false END
            WHEN memory_high <= 1 + more_memory THEN true
            WHEN verdict = 'faster' THEN NULL
            WHEN memory_low > 1 + more_memory THEN false
        END AS passed,
        CASE
            WHEN r.rule IN ('speedup', 'category') AND speedup IS NULL
            THEN concat_ws(': ', 'nothing to compare', reason)
            WHEN r.rule = 'speedup' AND low IS NULL THEN 'no interval: ' || reason
            WHEN r.rule = 'speedup'
            THEN CASE WHEN low >= least_speedup AND across AND NOT doubtful THEN 'a win: ' ELSE 'no win to claim: ' END
                || said || ', at least ' || CAST(round(low, 3) AS VARCHAR) || ' times as fast' || bounds
            WHEN r.rule = 'category'
            THEN category || ': ' || said
                || CASE WHEN verdict = 'undecided' OR low IS NULL THEN ', ' || reason ELSE '' END
                || bounds
            WHEN r.rule = 'error' AND checks IS NULL THEN 'never checked'
            WHEN r.rule = 'error'
            THEN CAST(wrong AS VARCHAR) || ' of ' || CAST(checks AS VARCHAR) || ' checks failed'
            WHEN no_memory IS NOT NULL THEN no_memory
            WHEN memory_high IS NULL THEN concat_ws(', ', memory_words, memory_reason)
            WHEN r.rule = 'memory saved'
            THEN memory_words || CASE WHEN memory_promised THEN '' ELSE ', no saving was promised' END
            WHEN memory_ratio <= 1 + more_memory THEN memory_words
            ELSE memory_words || CASE WHEN verdict = 'faster' THEN ', but faster' ELSE ', and not faster' END
        END AS why
    FROM classed c
    CROSS JOIN (
        VALUES (1, 'speedup'), (2, 'category'), (3, 'error'), (4, 'memory'), (5, 'memory saved')
    ) AS r(place, rule)
),
graded AS (
    SELECT
        p.run_id, p.workload, p.case_name, p.cache, p.baseline, p.candidate, p.first_trial,
        m.metric, m.ratio, m.low, m.high, m.reason,
        CASE WHEN m.better = 'higher' THEN 1 - m.ratio ELSE 1 / m.ratio - 1 END AS worse_by,
        k.place, k.rule, k."limit",
        CASE WHEN m.better = 'higher' THEN 1 - k."limit" ELSE 1 / (1 + k."limit") END AS least_ratio
    FROM judged p
    JOIN metric_verdicts m
        ON m.workload = p.workload AND m.case_name = p.case_name AND m.cache = p.cache
        AND m.baseline = p.baseline AND m.candidate = p.candidate
    JOIN (
        SELECT 6 AS place, 'perplexity' AS rule, more_perplexity AS "limit" FROM settings
        UNION ALL
        SELECT 7, 'task score', less_score FROM settings
        UNION ALL
        SELECT 8, 'convergence', more_steps FROM settings
    ) AS k
        ON k.rule = CASE
            WHEN m.metric = 'perplexity' THEN 'perplexity'
            WHEN starts_with(m.metric, 'steps_to_') THEN 'convergence'
            ELSE 'task score'
        END
    WHERE m.run_id = $run
        AND (
            starts_with(m.metric, 'steps_to_')
            OR m.metric IN (
                'perplexity', 'accuracy', 'f1_macro', 'precision_macro', 'recall_macro', 'recall_at_k', 'mrr', 'ndcg_at_k',
                'pearson', 'spearman', 'bleu', 'rouge_1', 'rouge_2', 'rouge_l', 'word_error_rate'
            )
        )
        AND m.reason IS DISTINCT FROM 'baseline-no-value, candidate-no-value'
),
of_steps AS (
    SELECT
        v.trial,
        v.sample,
        v.step,
        max(CASE WHEN v.name <> 'layers_vanishing' AND v.value > 0 THEN 1.0 ELSE 0.0 END) AS explodes,
        max(CASE WHEN v.name = 'layers_vanishing' AND v.value > 0 THEN 1.0 ELSE 0.0 END) AS vanishes
    FROM step_values v
    JOIN samples s ON s.run_id = v.run_id AND s.trial = v.trial AND s.sample = v.sample
    WHERE v.run_id = $run
        AND s.run_id = $run
        AND s.valid
        AND v.name IN ('layers_exploding', 'layers_not_finite', 'layers_vanishing')
    GROUP BY v.trial, v.sample, v.step
),
gradients AS (
    SELECT
        t.workload, t.case_name, t.cache, t.variant,
        count(*) AS steps,
        sum(g.explodes) AS explodes,
        sum(g.vanishes) AS vanishes
    FROM of_steps g
    JOIN trials t ON t.trial = g.trial
    WHERE t.run_id = $run
    GROUP BY t.workload, t.case_name, t.cache, t.variant
),
of_metrics AS (
    SELECT
        run_id, workload, case_name, cache, baseline, candidate, first_trial, place, rule,
        worse_by AS value,
        "limit",
        CASE
            WHEN low >= least_ratio THEN true
            WHEN high < least_ratio OR reason = 'candidate-not-reached' THEN false
        END AS passed,
        concat(
            metric,
            ': ',
            CASE
                WHEN worse_by IS NOT NULL
                THEN CAST(round(100 * abs(worse_by), 1) AS VARCHAR) || ' % '
                    || CASE WHEN worse_by > 0 THEN 'worse' ELSE 'better' END
            END,
            CASE WHEN low IS NULL THEN concat(CASE WHEN worse_by IS NOT NULL THEN ', ' END, replace(reason, '-', ' ')) END
        ) AS why
    FROM graded
    UNION ALL
    SELECT
        p.run_id, p.workload, p.case_name, p.cache, p.baseline, p.candidate, p.first_trial, k.place, k.rule,
        CASE k.place WHEN 9 THEN g.explodes ELSE g.vanishes END / g.steps AS value,
        s.unhealthy_steps AS "limit",
        CASE k.place WHEN 9 THEN g.explodes ELSE g.vanishes END <= s.unhealthy_steps * g.steps AS passed,
        concat(
            CAST(CASE k.place WHEN 9 THEN g.explodes ELSE g.vanishes END AS BIGINT), ' of ', g.steps, ' steps'
        ) AS why
    FROM judged p
    CROSS JOIN settings s
    JOIN gradients g
        ON g.workload = p.workload AND g.case_name = p.case_name AND g.cache = p.cache AND g.variant = p.candidate
    CROSS JOIN (VALUES (9, 'exploding gradient'), (10, 'vanishing gradient')) AS k(place, rule)
),
broken AS (
    SELECT
        sum(CASE WHEN place IN (6, 7) THEN 1 ELSE 0 END) AS worse,
        sum(CASE WHEN place = 8 THEN 1 ELSE 0 END) AS later,
        sum(CASE WHEN place > 8 THEN 1 ELSE 0 END) AS unhealthy
    FROM of_metrics
    WHERE NOT passed
),
tally AS (
    SELECT
        sum(CASE WHEN rule = 'category' THEN 1 ELSE 0 END) AS comparisons,
        sum(CASE WHEN rule = 'category' AND passed IS NULL THEN 1 ELSE 0 END) AS unknown,
        sum(CASE WHEN rule = 'category' AND NOT passed THEN 1 ELSE 0 END) AS slower,
        sum(CASE WHEN rule = 'memory' AND NOT passed THEN 1 ELSE 0 END) AS more_memory,
        sum(CASE WHEN rule = 'memory saved' AND NOT passed THEN 1 ELSE 0 END) AS unkept
    FROM rules
),
open_ones AS (
    SELECT sum(CASE WHEN verdict = 'undecided' THEN 1 ELSE 0 END) AS undecided FROM facts
),
outputs AS (
    SELECT
        sum(CASE WHEN c.wrong > 0 THEN 1 ELSE 0 END) AS wrong,
        sum(CASE WHEN c.checks IS NULL THEN 1 ELSE 0 END) AS unchecked
    FROM subjects s
    LEFT JOIN checked c
        ON c.workload = s.workload AND c.case_name = s.case_name AND c.cache = s.cache AND c.variant = s.variant
),
endings AS (
    SELECT
        sum(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed,
        sum(CASE WHEN status = 'invalid' THEN 1 ELSE 0 END) AS invalid
    FROM outcomes
    WHERE run_id = $run AND trial IS NOT NULL
),
flags AS (
    SELECT
        r.run_id,
        coalesce(t.comparisons, 0) AS comparisons,
        coalesce(t.unknown, 0) + coalesce(o.unchecked, 0) AS unknown,
        coalesce(o.wrong, 0) + coalesce(t.slower, 0) AS failures,
        concat_ws(
            ', ',
            CASE WHEN o.wrong > 0 THEN CAST(o.wrong AS VARCHAR) || ' wrong' END,
            CASE WHEN o.unchecked > 0 THEN CAST(o.unchecked AS VARCHAR) || ' never checked' END,
            CASE WHEN t.slower > 0 THEN CAST(t.slower AS VARCHAR) || ' slower' END,
            CASE WHEN v.undecided > 0 THEN CAST(v.undecided AS VARCHAR) || ' undecided' END,
            CASE WHEN t.unknown > 0 THEN CAST(t.unknown AS VARCHAR) || ' that cannot be judged' END,
            CASE WHEN t.more_memory > 0 THEN CAST(t.more_memory AS VARCHAR) || ' with more memory' END,
            CASE WHEN t.unkept > 0 THEN CAST(t.unkept AS VARCHAR) || ' without the memory saved' END,
            CASE WHEN b.worse > 0 THEN CAST(b.worse AS VARCHAR) || ' with a worse score' END,
            CASE WHEN b.later > 0 THEN CAST(b.later AS VARCHAR) || ' that converge later' END,
            CASE WHEN b.unhealthy > 0 THEN CAST(b.unhealthy AS VARCHAR) || ' with unhealthy gradients' END,
            CASE WHEN e.failed > 0 THEN 'trials failed: ' || CAST(e.failed AS VARCHAR) END,
            CASE WHEN e.invalid > 0 THEN 'trials invalid: ' || CAST(e.invalid AS VARCHAR) END
        ) AS words
    FROM runs r
    CROSS JOIN tally t
    CROSS JOIN broken b
    CROSS JOIN open_ones v
    CROSS JOIN outputs o
    CROSS JOIN endings e
    WHERE r.run_id = $run
),
told AS (
    SELECT
        run_id, workload, case_name, cache, baseline, candidate,
        rule, value, "limit", passed, why,
        first_trial, place
    FROM rules
    UNION ALL
    SELECT
        run_id, workload, case_name, cache, baseline, candidate,
        rule, value, "limit", passed, why,
        first_trial, place
    FROM of_metrics
    UNION ALL
    SELECT
        run_id, NULL, NULL, NULL, CAST($baseline AS VARCHAR), NULL,
        'overall', CAST(failures AS DOUBLE), 0.0,
        CASE WHEN failures > 0 THEN false WHEN comparisons = 0 OR unknown > 0 THEN NULL ELSE true END,
        CASE
            WHEN comparisons = 0 THEN concat_ws(', ', 'nothing to compare', CASE WHEN words <> '' THEN words END)
            WHEN words = '' THEN 'no flags'
            ELSE words || ' (' || CAST(comparisons AS VARCHAR) || ' compared)'
        END,
        NULL, 11
    FROM flags
)
SELECT run_id, workload, case_name, cache, baseline, candidate, rule, value, "limit", passed, why
FROM told
ORDER BY place = 11, first_trial, baseline, candidate, place, why
