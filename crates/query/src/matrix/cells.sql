-- A row for each run in which a variant stands on a case: what became of its trials. The age is 1 of the newest run of
-- its suite that tells something: where it was measured, or says why it cannot be; of no such run, of the newest.
WITH cells AS (
    SELECT
        t.run_id,
        r.suite,
        t.case_name,
        t.implementation,
        t.variant,
        min(t.trial) AS first_trial,
        max(t.flops) AS flops,
        sum(CASE WHEN u.trial IS NULL THEN 1 ELSE 0 END) AS well,
        max(u.reason) AS lost,
        max(CASE WHEN o.status <> 'ok' THEN o.stop_reason END) AS told,
        max(r.started_at) AS started_at
    FROM trials t
    JOIN runs r ON r.run_id = t.run_id
    LEFT JOIN unusable u ON u.run_id = t.run_id AND u.trial = t.trial
    LEFT JOIN outcomes o ON o.run_id = t.run_id AND o.trial = t.trial
    GROUP BY t.run_id, r.suite, t.case_name, t.implementation, t.variant
)
SELECT
    *,
    row_number() OVER (
        PARTITION BY suite, case_name, variant
        ORDER BY CASE WHEN well > 0 OR lost = 'unsupported' THEN 0 ELSE 1 END, started_at DESC, run_id DESC
    ) AS age
FROM cells
