-- title: How trustworthy the samples of every trial are: invalid ones, dependence, drift, warm-up
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- Autocorrelation (lag 1), effective sample size and drift are of the valid samples in the order
-- they were taken; drift is the change from the beginning to the end as a share. Marks are reasons
-- with the samples that bear them, also those kept all the same. The note is NULL where nothing is
-- wrong. It names a mark from 5 % of the samples on, and a drift of at least 1 % whose p-value,
-- adjusted for all trials of the run, is at most 0.05. cpu_share is the processor time of the valid
-- samples over their elapsed time and the threads that were given.
WITH of_run AS (
    SELECT trial, sample, time_ns, valid, invalid_reason FROM results WHERE run_id = $run
),
marks AS (
    SELECT trial, invalid_reason AS reason FROM of_run WHERE NOT valid
    UNION ALL
    SELECT trial, invalid_reason AS reason FROM samples
    WHERE run_id = $run AND valid AND invalid_reason IS NOT NULL
),
counts AS (
    SELECT trial, count(*) AS samples, sum(CASE WHEN valid THEN 1 ELSE 0 END) AS valid_samples
    FROM of_run
    GROUP BY trial
),
reasons AS (
    SELECT trial, reason, count(*) AS n FROM marks GROUP BY trial, reason
),
shares AS (
    SELECT
        r.trial,
        r.reason,
        r.reason || ' ' || CAST(r.n AS VARCHAR) AS counted,
        CASE
            WHEN 20 * r.n >= c.samples
            THEN CAST(CAST(round(100.0 * r.n / c.samples) AS BIGINT) AS VARCHAR) || ' % ' || replace(r.reason, '_', ' ')
        END AS noted
    FROM reasons r
    JOIN counts c ON c.trial = r.trial
),
marked AS (
    SELECT
        trial,
        CAST(string_agg(counted, ', ' ORDER BY reason) AS VARCHAR) AS marks,
        CAST(string_agg(noted, ', ' ORDER BY reason) AS VARCHAR) AS noted
    FROM shares
    GROUP BY trial
),
series AS (
    SELECT
        trial,
        autocorrelation(time_ns, sample) AS autocorrelation,
        effective_n(time_ns, sample) AS effective_n,
        drift(time_ns, sample) AS drift,
        drift_p(time_ns, sample) AS drift_p
    FROM of_run
    WHERE valid
    GROUP BY trial
),
shares_of_cpus AS (
    SELECT
        s.trial,
        CAST(sum(s.cpu_user_ns + s.cpu_system_ns) AS DOUBLE) / (sum(s.elapsed_ns) * max(t.threads)) AS cpu_share
    FROM samples s
    JOIN trials t ON t.run_id = s.run_id AND t.trial = s.trial
    WHERE s.run_id = $run AND t.run_id = $run AND s.valid AND s.elapsed_ns > 0
    GROUP BY s.trial
),
warm_ups AS (
    SELECT
        trial,
        max(CASE WHEN name = 'warmup_iterations' THEN value END) AS warmup_iterations,
        max(CASE WHEN name = 'warmup_settled' THEN value END) AS settled
    FROM measures
    WHERE run_id = $run
    GROUP BY trial
),
gathered AS (
    SELECT
        t.workload,
        t.case_name,
        t.cache,
        t.variant,
        t.replicate,
        t.trial,
        coalesce(c.samples, 0) AS samples,
        coalesce(c.valid_samples, 0) AS valid_samples,
        m.marks,
        m.noted,
        p.cpu_share,
        s.autocorrelation,
        s.effective_n,
        s.drift,
        s.drift_p,
        w.warmup_iterations,
        w.settled <> 0.0 AS warmup_settled
    FROM trials t
    LEFT JOIN counts c ON c.trial = t.trial
    LEFT JOIN marked m ON m.trial = t.trial
    LEFT JOIN shares_of_cpus p ON p.trial = t.trial
    LEFT JOIN series s ON s.trial = t.trial
    LEFT JOIN warm_ups w ON w.trial = t.trial
    WHERE t.run_id = $run
),
adjusted AS (
    SELECT
        *,
        q_value(drift_p) OVER () AS drift_q,
        min(trial) OVER (PARTITION BY workload, case_name, cache) AS first_trial
    FROM gathered
),
worded AS (
    SELECT
        *,
        concat_ws(
            '; ',
            CASE WHEN samples = 0 THEN 'no samples' WHEN valid_samples = 0 THEN 'no valid samples' END,
            noted,
            CASE
                WHEN drift_q <= 0.05 AND abs(drift) >= 0.01
                THEN 'drifts '
                    || CASE WHEN drift > 0 THEN '+' ELSE '-' END
                    || CAST(CAST(round(100.0 * abs(drift)) AS BIGINT) AS VARCHAR)
                    || ' %'
            END,
            CASE WHEN NOT warmup_settled THEN 'warm-up had not settled' END
        ) AS words
    FROM adjusted
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    replicate,
    samples,
    valid_samples,
    marks,
    cpu_share,
    autocorrelation,
    effective_n,
    drift,
    drift_p,
    warmup_iterations,
    warmup_settled,
    CASE WHEN words <> '' THEN words END AS note
FROM worded
ORDER BY first_trial, variant, replicate, trial
