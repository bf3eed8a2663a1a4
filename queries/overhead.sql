-- title: What a call costs beside its work: the smallest case of every variant against the rate that it reaches elsewhere
-- param run run = latest: a run's id, unique prefix or tag, latest, or latest~N
--
-- From valid samples, where each replicate has one median of a case. The smallest case of a variant in a workload is that with the
-- fewest operations, or bytes where a case states no operations. What its work would take at the highest rate that the variant
-- reaches in the same replicate, on another case, is work_ns; the rest of its time is overhead_ns: dispatch, allocation, threads
-- that are woken, and what a small size leaves of the registers. Here stand geometric means over the replicates, the overhead with
-- Student's interval over their logarithms (95 %, from five replicates on). NULL, with the reason, where a variant has one case
-- only, or in some replicate is no slower on the smallest than elsewhere.
WITH timed AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        replicate,
        min(trial) AS trial,
        median(time_ns) AS time_ns,
        coalesce(nullif(max(flops), 0), max(bytes)) AS work
    FROM results
    WHERE run_id = $run AND valid
    GROUP BY workload, case_name, cache, variant, replicate
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY workload, cache, variant, replicate ORDER BY work, trial) AS place
    FROM timed
    WHERE work > 0 AND time_ns > 0
),
best AS (
    SELECT workload, cache, variant, replicate, max(work / time_ns) AS rate, count(*) AS others
    FROM ranked
    WHERE place > 1
    GROUP BY workload, cache, variant, replicate
),
parted AS (
    SELECT
        r.*,
        b.others,
        r.work / b.rate AS work_ns,
        r.time_ns - r.work / b.rate AS overhead_ns
    FROM ranked r
    LEFT JOIN best b
        ON b.workload = r.workload AND b.cache = r.cache AND b.variant = r.variant AND b.replicate = r.replicate
    WHERE r.place = 1
),
summed AS (
    SELECT
        workload,
        case_name,
        cache,
        variant,
        min(trial) AS first_trial,
        count(*) AS replicates,
        max(others) AS others,
        min(overhead_ns) AS least_ns,
        replicate_median(time_ns, replicate) AS time_ns,
        replicate_median(work_ns, replicate) AS work_ns,
        replicate_median(overhead_ns, replicate) AS overhead_ns,
        replicate_low(overhead_ns, replicate) AS overhead_low_ns,
        replicate_high(overhead_ns, replicate) AS overhead_high_ns
    FROM parted
    GROUP BY workload, case_name, cache, variant
)
SELECT
    workload,
    case_name,
    cache,
    variant,
    replicates,
    time_ns,
    work_ns,
    overhead_ns,
    overhead_low_ns,
    overhead_high_ns,
    CASE
        WHEN others IS NULL THEN 'one case only'
        WHEN least_ns <= 0 THEN 'no slower than elsewhere'
        WHEN replicates < 5 THEN 'no interval: too few replicates'
    END AS reason
FROM summed
ORDER BY first_trial
