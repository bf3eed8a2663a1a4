-- title: What feedback loops have measured, turn by turn, and why each turn was measured
-- param tag text = feedback: the tag of a loop (feedback:NAME), or its first word for all of them
--
-- Each turn is a run: the case and variant of its setting, the median of its valid samples, what became of it where they may
-- not be used, and the words in which the turn before it has led there.
WITH asked AS (
    SELECT run_id, started_at, array_to_string(tags, ' ') AS tag FROM runs
),
timed AS (
    SELECT run_id, trial, median(time_ns) AS median_ns FROM results WHERE valid GROUP BY run_id, trial
),
said AS (
    SELECT run_id, min(message) AS message FROM events WHERE kind = 'feedback' GROUP BY run_id
)
SELECT
    a.tag,
    a.started_at,
    t.run_id,
    t.case_name,
    t.variant,
    s.median_ns,
    u.reason,
    e.message AS why
FROM trials t
JOIN asked a ON a.run_id = t.run_id
LEFT JOIN timed s ON s.run_id = t.run_id AND s.trial = t.trial
LEFT JOIN unusable u ON u.run_id = t.run_id AND u.trial = t.trial
LEFT JOIN said e ON e.run_id = t.run_id
WHERE a.tag = $tag OR split_part(a.tag, ':', 1) = $tag
ORDER BY a.started_at, t.run_id, t.trial
