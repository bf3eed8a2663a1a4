-- "Pairs" of the view `verdicts`: the margin is that of the rules, and times that do not vary are no exact ones.
SELECT
    *,
    baseline_time_ns AS baseline_value,
    candidate_time_ns AS candidate_value,
    CAST(NULL AS DOUBLE) AS margin,
    CAST(NULL AS BOOLEAN) AS exact,
    CAST(NULL AS VARCHAR) AS lost
FROM pairs
