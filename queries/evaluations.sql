-- title: Settings that searches have measured, in the order in which they were
-- param search text = tune: the tag of a search (tune:NAME), or its first word for all of them
--
-- A row for each trial of a run whose tag says that a search has asked for it: the case, the variant with the values of its
-- knobs, the median of its valid samples, and what became of a trial whose samples may not be used. What confirms the best
-- settings has the tag tune:NAME:confirmed. The usual setting stands in each run, beside the others.
WITH asked AS (
    SELECT run_id, started_at, array_to_string(tags, ' ') AS tag FROM runs
),
timed AS (
    SELECT run_id, trial, median(time_ns) AS median_ns, count(*) AS samples FROM results WHERE valid GROUP BY run_id, trial
)
SELECT
    a.tag,
    t.run_id,
    t.trial,
    t.workload,
    t.case_name,
    t.variant,
    t.replicate,
    s.median_ns,
    coalesce(s.samples, 0) AS samples,
    u.reason
FROM trials t
JOIN asked a ON a.run_id = t.run_id
LEFT JOIN timed s ON s.run_id = t.run_id AND s.trial = t.trial
LEFT JOIN unusable u ON u.run_id = t.run_id AND u.trial = t.trial
WHERE a.tag = $search OR split_part(a.tag, ':', 1) = $search
ORDER BY a.started_at, t.run_id, t.trial
