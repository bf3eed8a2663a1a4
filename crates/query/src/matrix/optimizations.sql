-- The optimizations that the matrix is for, by the names by which people ask for them, and what stands for each: techniques
-- of models, or what is measured elsewhere: its workload, its implementation and the one beside which it stands, or the tag of
-- its runs, and the command for it.
SELECT
    CAST(place AS BIGINT) AS place,
    CAST(optimization AS VARCHAR) AS optimization,
    CAST(technique AS VARCHAR) AS technique,
    CAST(workload AS VARCHAR) AS workload,
    CAST(implementation AS VARCHAR) AS implementation,
    CAST(beside AS VARCHAR) AS beside,
    CAST(tag AS VARCHAR) AS tag,
    CAST(command AS VARCHAR) AS command
FROM (
    VALUES
        (1, 'structured pruning', 'channels-25', NULL, NULL, NULL, NULL, NULL),
        (1, 'structured pruning', 'heads-25', NULL, NULL, NULL, NULL, NULL),
        (2, 'adaptive sparse attention', 'sparse-attention', NULL, NULL, NULL, NULL, NULL),
        (
            3, 'adaptive batch sizes', NULL, 'batched-decoding', 'adaptive', 'static', NULL,
            'benchbook run batched-decoding --quick'
        ),
        (
            4, 'continuous architecture search', NULL, 'hybrid-stack', NULL, NULL, 'tune',
            'benchbook tune hybrid-stack --set pattern=AAAA,MAMA,MMMM --implementation fused --under peak_added_bytes=64MiB '
            || '--budget 12'
        ),
        (
            4, 'continuous architecture search', NULL, 'forced-decoding', NULL, NULL, 'tune',
            'benchbook tune --model smollm2-135m --set layers=1,2,4 --implementation int8,int4-g32,nf4,2of4 '
            || '--under kl_divergence=0.1 --budget 12'
        ),
        (5, 'streaming computation', 'chunks-16', NULL, NULL, NULL, NULL, NULL),
        (5, 'streaming computation', 'window-sinks', NULL, NULL, NULL, NULL, NULL),
        (6, 'tensor decomposition', 'low-rank-4th', NULL, NULL, NULL, NULL, NULL),
        (7, 'sparse networks', '2of4', NULL, NULL, NULL, NULL, NULL),
        (7, 'sparse networks', 'sparse-90', NULL, NULL, NULL, NULL, NULL),
        (8, 'modular components', 'block-out', NULL, NULL, NULL, NULL, NULL),
        (8, 'modular components', 'linear-attention', NULL, NULL, NULL, NULL, NULL),
        (8, 'modular components', 'experts-2of8', NULL, NULL, NULL, NULL, NULL),
        (8, 'modular components', 'early-exit', NULL, NULL, NULL, NULL, NULL),
        (9, 'automatic machine learning', 'adaptive-precision', NULL, NULL, NULL, NULL, NULL),
        (
            9, 'automatic machine learning', NULL, 'forced-decoding', NULL, NULL, 'tune',
            'benchbook tune --model smollm2-135m --implementation int8,int4-g32,nf4,2of4 --under kl_divergence=0.1 --budget 12'
        ),
        (
            10, 'feedback mechanisms', NULL, 'forced-decoding', NULL, NULL, 'feedback',
            'benchbook feedback --model smollm2-135m --implementation int8,int4-g32,mxfp4 --hold kl_divergence=0.1'
        ),
        (11, 'comparison before and after', NULL, NULL, NULL, NULL, NULL, 'benchbook sql --query before_after')
) AS named(place, optimization, technique, workload, implementation, beside, tag, command)
