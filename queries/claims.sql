-- title: Published claims beside what was measured here, each with its verdict
--
-- From the table `claims`, which comes with benchbook (datasets/claims.csv). Every claim is read in one
-- way, by the numbers that it gives. A point (1.42 times: both ends are the same number) holds within
-- 10 % of the number; a range (2 to 3 times) holds from end to end; a bound (at least, at most) holds
-- from its one end on. The whole 95 % interval over fresh processes decides: confirmed where all of it
-- lies where the claim holds; where none of it does, exceeded if it lies beyond a point or a range on
-- the better side (faster, less memory), and refuted otherwise; undecided in between, and below five
-- processes. What is modelled or quoted was not measured: its verdict is one by definition. Not judged is
-- a claim that no number here can decide, not testable here one that needs another machine; `reason`
-- says which. `kind` tells published claims from targets of their source and from inferences of ours.
WITH read AS (
    SELECT
        *,
        CASE WHEN claimed_low = claimed_high THEN 0.9 * claimed_low ELSE claimed_low END AS least,
        CASE WHEN claimed_low = claimed_high THEN 1.1 * claimed_high ELSE claimed_high END AS most,
        coalesce(low, value) AS lowest,
        coalesce(high, value) AS highest,
        CASE
            WHEN quantity IN ('speed', 'compression') THEN 'more'
            WHEN quantity IN (
                'accuracy_lost', 'accuracy_lost_ratio', 'energy', 'error', 'loss_added', 'memory', 'time', 'waste'
            ) THEN 'less'
            -- Numbers of bits and laws of growth have no better side.
        END AS better,
        -- 2.0 as 2
        rtrim(rtrim(CAST(claimed_low AS VARCHAR), '0'), '.') AS from_text,
        rtrim(rtrim(CAST(claimed_high AS VARCHAR), '0'), '.') AS to_text
    FROM claims
),
placed AS (
    SELECT
        *,
        CASE
            WHEN coalesce(lowest >= least, true) AND coalesce(highest <= most, true) THEN 'confirmed'
            WHEN highest < least AND better = 'less' AND most IS NOT NULL THEN 'exceeded'
            WHEN lowest > most AND better = 'more' AND least IS NOT NULL THEN 'exceeded'
            WHEN highest < least OR lowest > most THEN 'refuted'
            ELSE 'undecided'
        END AS place
    FROM read
)
SELECT
    claim,
    catalogue,
    kind,
    statement,
    source,
    quantity,
    CASE
        WHEN claimed_low = claimed_high THEN 'about ' || from_text
        WHEN claimed_high IS NULL THEN 'at least ' || from_text
        WHEN claimed_low IS NULL THEN 'at most ' || to_text
        ELSE from_text || ' to ' || to_text
    END AS claimed,
    claimed_low,
    claimed_high,
    value,
    low,
    high,
    replicates,
    provenance,
    CASE
        WHEN unjudged IS NOT NULL THEN 'not judged'
        WHEN value IS NULL AND needs IS NOT NULL THEN 'not testable here'
        WHEN value IS NULL THEN 'not measured yet'
        WHEN provenance <> 'measured' THEN place || ' by definition'
        WHEN replicates < 5 THEN 'undecided'
        ELSE place
    END AS verdict,
    coalesce(unjudged, 'needs ' || needs) AS reason,
    machine,
    how
FROM placed
-- The first row of the catalogue that a claim belongs to, CL2 before CL10; inferences stand last.
ORDER BY kind = 'inference', length(split_part(catalogue, ' ', 1)), split_part(catalogue, ' ', 1), claim
