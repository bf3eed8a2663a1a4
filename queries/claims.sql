-- title: Published claims beside what was measured here, each with its verdict
--
-- From the table `claims`, which comes with benchbook (datasets/claims.csv). The 95 % interval of what was
-- measured decides. `at least`: confirmed where all of it reaches the claimed figure, refuted where none
-- of it does; `at most`: the other way round; `about`: confirmed where all of it lies within 10 % of the
-- figure, refuted where none of it does. Otherwise undecided. It is judged what was measured, on the
-- machine that the row names: `not testable here` says what another machine would need.
SELECT
    claim,
    catalogue,
    statement,
    source,
    quantity,
    relation,
    claimed,
    measured,
    low,
    high,
    replicates,
    CASE
        WHEN measured IS NULL AND reason IS NOT NULL THEN 'not testable here'
        WHEN measured IS NULL THEN 'not measured yet'
        WHEN relation = 'at least' AND low >= claimed THEN 'confirmed'
        WHEN relation = 'at least' AND high < claimed THEN 'refuted'
        WHEN relation = 'at most' AND high <= claimed THEN 'confirmed'
        WHEN relation = 'at most' AND low > claimed THEN 'refuted'
        WHEN relation = 'about' AND low >= claimed * 0.9 AND high <= claimed * 1.1 THEN 'confirmed'
        WHEN relation = 'about' AND (high < claimed * 0.9 OR low > claimed * 1.1) THEN 'refuted'
        ELSE 'undecided'
    END AS verdict,
    reason,
    machine,
    how
FROM claims
-- The first row of the catalogue that a claim belongs to; CL2 stands before CL10.
ORDER BY length(split_part(catalogue, ' ', 1)), split_part(catalogue, ' ', 1), claim
