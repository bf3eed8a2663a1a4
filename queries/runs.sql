-- title: Every run of the store, oldest first
WITH endings AS (
    SELECT run_id, max(status) AS status FROM outcomes WHERE trial IS NULL GROUP BY run_id
),
trial_counts AS (
    SELECT run_id, count(*) AS trials FROM trials GROUP BY run_id
),
sample_counts AS (
    SELECT run_id, count(*) AS samples FROM samples GROUP BY run_id
)
SELECT
    r.run_id,
    r.started_at,
    r.suite,
    array_to_string(r.tags, ' ') AS tags,
    coalesce(e.status, 'unfinished') AS status,
    coalesce(t.trials, 0) AS trials,
    coalesce(s.samples, 0) AS samples,
    r.git_commit,
    r.cpu_model,
    r.environment_id
FROM runs r
LEFT JOIN endings e ON e.run_id = r.run_id
LEFT JOIN trial_counts t ON t.run_id = r.run_id
LEFT JOIN sample_counts s ON s.run_id = r.run_id
ORDER BY r.started_at, r.run_id
